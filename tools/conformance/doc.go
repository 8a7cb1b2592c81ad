// Package conformance runs the Gateway API's own conformance suite against the sandbox's
// stand-in for GKE's Gateways, package sandbox/gateway: whatever Turnout is tested on must
// understand weights, matches, their precedence and the status of routes as the Gateway
// API does. `make conformance` runs it; it is no part of `make test`.
//
// named.go lists the tests that pass, and those that were left out, with the reason.
//
// # Decisions
//
// The suite's backends are its own echo server, built from its source: the sandbox's nodes
// run a pod's image as a process. So its answers need no translation, and the suite's own
// client asks the stand-in's front ends over the network. The other way, a client that
// makes up what the echo server would have said, would test that client.
//
// It is a module of its own, so that the suite's dependencies are nobody else's.
package conformance
