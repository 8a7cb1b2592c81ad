// Package v1alpha1 is the record that all parts of Turnout read and write. [BlueGreen] is
// one application, [Release] one attempt to put one version of it in front of users, and
// [Delivery] one webhook of GitHub.
//
// The record lives in Kubernetes beside the workloads that it describes; there is no other
// database. The bot writes Release.spec (what was asked, by whom). The deployer moves a
// release along its track and writes Release.status. The bot reads that status and makes
// GitHub look like it. After a crash, either resumes from the record.
//
// bluegreen_types.go, bluegreen_*_types.go, gateway_types.go, canary_types.go and
// analysis_types.go have what an owner configures, bluegreen_status_types.go what Turnout knows of an application,
// release_types.go the request for a release, release_*_types.go its progress, and
// delivery_types.go a webhook. Facts with only one definition for all packages are here,
// too: grants (grants.go), hashes (commits.go), the pinned repository (repository.go),
// defaults (defaults.go), limits (limits.go), retention (retention.go), the record's format
// (format.go), who asked for a release (claims.go), names of objects (names.go,
// release_names.go), lists of pods (pods.go), and commands for a shell (shell.go).
//
// # Decisions
//
// The record consists of custom resources, not of a database or ConfigMaps. Users already
// run a replicated, watched, access-controlled store beside the workloads; a schema and
// RBAC separate status from configuration. The price is etcd's size limit: a release keeps
// at most a few kilobytes of evidence.
//
// The scheme (register.go) uses only apimachinery, so importing the types pulls in no controller and no
// client.
//
// +kubebuilder:object:generate=true
// +groupName=turnout.dev
package v1alpha1
