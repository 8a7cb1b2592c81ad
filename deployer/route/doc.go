// Package route moves traffic: it reads which colour an Ingress or an HTTPRoute sends
// users to, and is the only writer of it.
//
// # Tour
//
//   - ingress.go reads and patches without side effects: [Read] turns an Ingress into
//     [track.Routes]; [AttachPatch], [SwitchPatch], [DetachPatch] and [MigratePatch]
//     turn these into a JSON patch. [Same] decides after a lost race.
//   - router.go: [Router] talks to the API server. Attach, Switch, Detach and Migrate
//     send those patches; Poke annotates the Ingress, so that its controller looks again.
//   - httproute.go and httproute_patch.go do the same for an HTTPRoute: [ReadHTTPRoute],
//     [SharesPatch]. httproute_standby.go has the second route, which Turnout owns,
//     httproute_refuse.go what Turnout cannot weigh, httproute_router.go sends.
//     httproute_header.go reads that route's secret header, and gateways.go the Gateways
//     of a route.
//   - class.go finds out whose load balancer an Ingress programs.
//   - group.go: Groups are what Google's load balancer has for a Service, mostly network
//     endpoint groups. events.go: News is what its controller has reported about the
//     Ingress since a given moment. translate.go checks in advance what that controller
//     could not use; protocol.go has the protocols of ports.
//
// The live colour is derived, never remembered. Every backend of the Ingress that names
// one of an application's two Services counts, including the default backend, except
// under the standby host that the Ingress itself records in an annotation.
//
// # Decisions
//
// JSON patch instead of server-side apply or a merge patch: spec.rules and its
// paths are atomic lists, so either of the others replaces the whole list and
// loses every other host and path (seen on a real API server). Each patch tests
// the object's uid and generation as read. So a switch applies to exactly what was
// looked at or fails, however late it arrives: every change of the spec raises the
// generation, which never comes back, while the spec itself does after a rollback.
// The price is a re-read whenever anybody edits the spec between our look and our
// patch; the answer is then 422 (not 409: apiserver pkg/endpoints/handlers/patch.go).
//
// When a release gives up a target without patching the Ingress, the generation
// stays the same, and the release's own patch may still be on its way. So every patch
// also tests a fence, an annotation. Whoever finds an intent without its patch writes
// the fence first.
//
// A poke is the exception: a merge patch of one annotation, with the uid. It
// changes no route, so it need not fail when routes change.
//
// Objects that were just patched, and objects that a patch could break for good, are
// read past the cache: Ingresses, their events, and the Services and BackendConfigs
// that [Router.Ports] and [Router.CheckTranslation] judge. [Router.Groups] and
// [Router.ReadyEndpoints] read Services and EndpointSlices from the cache, again and
// again until they are right.
//
// Unstructured instead of the typed Ingress: a field that this client's version
// does not know must survive.
//
// The other colour stays referenced for ever under a standby host. On the GCE
// Ingress a Service that nothing references loses its backend service, health
// check and endpoint group within seconds (ingress-gce pkg/sync/sync.go). Both the
// next switch and a rollback would then be a cold start.
package route
