// Package workload is the only one that reads and writes the Deployments and
// Services of the two colours, and the only one that knows what they look like:
// [Workloads.Observe] turns what Kubernetes says of one colour into a [track.Side] of
// plain data, and [Workloads.Stage], [Workloads.CreateMissing] and
// [Workloads.Scale], with [Workloads.Shrink], are the three ways a colour is ever
// changed; [Workloads.RaiseMinimum] and [Workloads.RestoreMinimum] are the ways of
// its autoscaler. Each looks first, then acts, and may run twice. A write that lost
// a race returns an error for which apierrors.IsConflict holds: the caller observes
// again. [Workloads.Drift] and [Workloads.Unprotected] tell people how the colours
// differ.
//
// # Decisions
//
// Templates are handled as the API server sent them, never through Go types. A
// field that this version of client-go does not know would vanish from every
// staged pod otherwise. The price is a little code on maps.
//
// The current ReplicaSet is the one whose template equals the Deployment's, as
// the deployment controller itself decides it. The revision annotation would be
// simpler, but a scaling event updates observedGeneration before the new
// ReplicaSet exists, and the old one would pass for the new.
//
// Image and size go in one patch. A template patched at size 0 is complete at
// once, which disarms the progress deadline of the size that follows.
//
// Staged pods carry the release's name. So every attempt has pods and a
// pod-template-hash of its own, even for an image that ran before, and the
// version that is live can be read off the cluster.
//
// An autoscaler's minimum is raised, rather than the autoscaler paused or deleted:
// it may still scale up, and what is left behind by a crash costs money, not users.
// The annotation has both the owner's minimum and the raised one, since only so a
// value that somebody else wrote meanwhile can be told from ours. Theirs is never
// fought over.
//
// A drift hides every value that a program reads, not only those that look like
// secrets: it ends up in a pull request, and nobody can tell what a secret looks
// like. That costs the reader a look at the cluster.
//
// With template: Live the colour is rewritten where it is a label or selects by
// one: labels, selectors, pod affinity, topology spread. An environment variable
// whose value happens to be the colour stays as the live pod has it: nobody can
// tell what it means to the program. Name such things with template: Own.
package workload
