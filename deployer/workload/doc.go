// Package workload is the only one that reads and writes the Deployments and Services of the two
// colours, and the only one that knows their form. [Workloads.Observe] turns what Kubernetes
// reports about one colour into a [track.Side] of plain data. Only [Workloads.Stage],
// [Workloads.CreateMissing], [Workloads.Scale] and [Workloads.Shrink] change a colour; only
// [Workloads.RaiseMinimum] and [Workloads.RestoreMinimum] change its autoscaler. Each looks
// first, then acts, and may run twice. A write that loses a race returns an error for which
// apierrors.IsConflict holds: the caller observes again. [Workloads.Drift] and
// [Workloads.Unprotected] show people how the colours differ.
//
// # Decisions
//
// Templates stay as the API server sent them and never pass through Go types. Otherwise a field
// that this version of client-go does not know would vanish from every staged pod. The price is a
// little code on maps.
//
// The current ReplicaSet is the one whose template equals the Deployment's; the deployment
// controller decides it in the same way. The revision annotation would be simpler, but a scaling
// event updates observedGeneration before the new ReplicaSet exists, and the old one would pass
// for the new.
//
// One patch changes image and size. A template patched at size 0 is complete at once, which
// disarms the progress deadline of the scaling that follows.
//
// Staged pods carry the release's name. So every attempt has its own pods and pod-template-hash,
// even for an image that ran before, and the cluster shows which version is live.
//
// An autoscaler's minimum is raised, instead of pausing or deleting the autoscaler: it may still
// scale up, and a crash leaves extra cost, not missing users. The annotation contains both the
// owner's minimum and the raised one: only then can Turnout distinguish somebody else's later
// value from its own. It never fights over theirs.
//
// A drift hides every value that a program reads, not only those that look like secrets. The
// drift ends up in a pull request, and nobody can tell what a secret looks like. The price is
// that the reader has to look at the cluster.
//
// With template: Live, the colour is rewritten where it is a label or selects by one: labels,
// selectors, pod affinity, topology spread. An environment variable whose value happens to be the
// colour keeps the live pod's value: nobody can tell what it means to the program. Name such
// things with template: Own.
package workload
