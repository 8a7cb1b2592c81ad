// Package gate is the health gate: whether every pod of a staged colour answers
// as it must, before any user reaches it. [PlanFor] says what is asked,
// [Round] asks it once, and [Step] keeps the books from round to round.
//
// # Decisions
//
// Every pod is asked, not the Service: behind a Service one bad pod of ten hides
// nine times in ten, and only endpoints that are ready already are behind it.
//
// A bad answer and no look at all are told apart, everywhere. What the API
// server's pod proxy says of its own (401, 429, a node it cannot reach) is no
// word on the application's health. The price is that a gate may end with
// nobody to blame; the release then ends as the world's fault.
//
// Not having looked neither passes a round nor breaks a row of passed ones. The
// verdict at the deadline is that of the last round.
//
// Requests go to the pod's own address when Turnout runs in the cluster, and
// through the API server otherwise. Certificates of pods are not verified, as
// the kubelet does not for its probes: pods have no names to be certified.
package gate
