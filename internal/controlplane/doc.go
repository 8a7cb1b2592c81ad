// Package controlplane runs a real Kubernetes control plane on this machine:
// etcd, kube-apiserver and kube-controller-manager, from the binaries that
// `make controlplane` builds into bin/.
//
// [Start] returns once the API server answers, the CRDs are established and the
// controllers work; [ControlPlane.Config] is an administrator,
// [ControlPlane.User] is anyone else, and RBAC is on.
//
// # Decisions
//
// The three processes are started here and not by controller-runtime's envtest,
// from which only the installing of CRDs is taken: envtest gives no way to let
// its children die with a test that was killed, discards their logs, and asks
// every binary for its --help first, which alone costs more than a second. The
// price is eighty lines of certificates.
//
// No node, no kubelet, no scheduler: pods are objects only. The sandbox adds
// nodes; a test that wants ready pods writes their status.
//
// The node lifecycle controller is off, because whoever plays the nodes should
// not have to renew leases.
package controlplane
