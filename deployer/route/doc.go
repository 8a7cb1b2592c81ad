// Package route moves traffic: it reads which colour an Ingress sends users to
// and is the only writer of that Ingress.
//
// # Tour
//
//   - ingress.go reads and patches, purely: [Read] turns an Ingress into [track.Routes];
//     [AttachPatch], [SwitchPatch], [DetachPatch] and [MigratePatch] turn
//     these into a JSON patch. [Same] decides after a lost race.
//   - router.go: [Router] does the talking. Attach, Switch, Detach and Migrate send
//     those patches; Poke annotates the Ingress, so that its controller looks again.
//   - class.go tells whose load balancer an Ingress programs.
//   - group.go: Groups are what Google's has of a Service, network endpoint groups
//     mostly. events.go: News is what its controller said of the Ingress since some
//     moment. translate.go says beforehand what that controller could not use.
//
// Live is derived, never remembered. Every backend of the Ingress that names one
// of an application's two Services counts, the default backend included, except
// in rules of the standby host that the Ingress itself records in an annotation.
//
// # Decisions
//
// JSON patch instead of server-side apply or a merge patch: spec.rules and its
// paths are atomic lists, so either of the others replaces the whole list and
// loses every other host and path (seen on a real API server). Each of them tests
// the object's uid and generation as read, so a switch is made on what was looked at
// or not at all, however late it arrives: the generation rises with every change of
// the spec, and never comes back, as the spec itself does with a rollback. It costs a
// re-read whenever anybody else edits the spec between our look and our patch; the
// answer is then 422 (not 409: apiserver pkg/endpoints/handlers/patch.go).
//
// Where a release gives a target up without a patch of the Ingress, the generation
// stays, and its own patch may still be on its way. So every patch tests a fence, an
// annotation, too, and who finds an intent without its patch writes that first.
//
// A poke is the exception: a merge patch of one annotation, with the uid. It
// changes no route, so no change of the routes need hinder it.
//
// What was just patched, and what a patch may break for good, is read past the
// cache: Ingresses, their events, and the Services and BackendConfigs that
// [Router.CheckPorts] and [Router.CheckTranslation] judge. [Router.Groups] and
// [Router.ReadyEndpoints] read Services and EndpointSlices from it, which are looked
// at again until they are right.
//
// Unstructured instead of the typed Ingress: a field that this client's version
// does not know must survive.
//
// The other colour stays referenced for ever under a standby host. On the GCE
// Ingress a Service that nothing references loses its backend service, health
// check and endpoint group within seconds (ingress-gce pkg/sync/sync.go), which
// makes both the next switch and a rollback a cold start.
package route
