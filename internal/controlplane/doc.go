// Package controlplane runs a real Kubernetes control plane on this machine: etcd,
// kube-apiserver and kube-controller-manager, from the binaries that `make controlplane`
// builds into bin/.
//
// [Start] returns once the API server answers, the CRDs are established and the controllers
// work. [ControlPlane.Config] is an administrator, [ControlPlane.User] anyone else, and
// RBAC is on. [ControlPlane.AuditLog] records what chosen users asked for. Package
// controlplanetest helps tests that use a control plane.
//
// # Decisions
//
// This package starts the three processes itself. From controller-runtime's envtest it
// takes only the installing of CRDs: envtest's processes may survive a killed test, it
// discards their logs, and it asks every binary for its --help first, which alone costs
// more than a second. The price is eighty lines of certificates.
//
// There is no node, no kubelet and no scheduler: pods are only objects. The sandbox adds
// nodes; a test that wants ready pods writes their status.
//
// The node lifecycle controller is off, so that whoever plays the nodes need not renew
// leases.
package controlplane
