// Package route moves traffic: it reads which colour an Ingress sends users to
// and is the only writer of that Ingress.
//
// Live is derived, never remembered. Every backend of the Ingress that names one
// of an application's two Services counts, the default backend included, except
// in rules of the standby host that the Ingress itself records in an annotation.
// [Read] turns an Ingress into a [State]; [AttachPatch] and [SwitchPatch] turn a
// State into a JSON patch. All three are pure; [Router] does the talking.
//
// # Decisions
//
// JSON patch instead of server-side apply or a merge patch: spec.rules and its
// paths are atomic lists, so either of the others replaces the whole list and
// loses every other host and path (seen on a real API server). Each patch tests
// the object's uid and its whole spec as read, so a switch is made on what was
// looked at or not at all. It costs a re-read whenever anybody else edits the
// spec between our look and our patch; the answer is then 422 (not 409:
// apiserver pkg/endpoints/handlers/patch.go).
//
// Unstructured instead of the typed Ingress: a field that this client's version
// does not know must survive, and must be part of the test.
//
// The other colour stays referenced for ever under a standby host. On the GCE
// Ingress a Service that nothing references loses its backend service, health
// check and endpoint group within seconds (ingress-gce pkg/sync/sync.go), which
// makes both the next switch and a rollback a cold start.
package route
