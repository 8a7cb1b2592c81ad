// Package v1alpha1 is the record that everything in Turnout reads and writes:
// [BlueGreen], one application, and [Release], one attempt to put one version
// of it in front of users.
//
// The record lives in Kubernetes beside the workloads it speaks of; there is no
// other database. The bot writes Release.spec (what was asked, by whom), the
// deployer moves a release along its track and writes Release.status, the bot
// reads that status and makes GitHub look like it. A crash of either is repaired
// by looking at the record again.
//
// # Decisions
//
// Custom resources instead of a database or ConfigMaps: users already run a
// replicated, watched, access-controlled store beside the workloads, and a
// schema with RBAC of its own tells status from configuration. It costs the
// etcd limits: a release keeps at most a few kilobytes of evidence.
//
// The scheme is built with apimachinery alone, so that importing the types
// pulls in no controller and no client.
//
// +kubebuilder:object:generate=true
// +groupName=turnout.dev
package v1alpha1
