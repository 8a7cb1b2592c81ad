// Package gate is the health gate: whether every pod of a staged colour answers
// as it must, before any user reaches it. [PlanFor] says what is asked,
// [Round] asks it once; what follows from the rounds so far is for track.GateWatch
// to say.
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
// verdict at the deadline is that of the last round. Until then a bad answer is
// "not yet": pods may start in any order, and refuse connections first.
//
// A round asks until it has found something bad. It then knows what it needs to,
// and hundreds of pods that hang cost the time of one.
//
// A command runs in rounds whose requests were all answered well, through the API
// server, over WebSocket, or SPDY where that is refused. A command that does not
// end is left to itself when its time is up: nothing in the API ends it. The API
// server calls a command a success whose connection to the node it lost
// (an error stream that ends without a word, client-go remotecommand
// errorstream.go). So a pass is believed only if the node still answers, by a
// line of the container's log; a connection that broke between the two while the
// node lives is not noticed, and is what several rounds in a row are for.
//
// No command is run in a colour that users reach: see [LivePlanFor].
//
// Requests go to the pod's own address when Turnout runs in the cluster, and
// through the API server otherwise, which rewrites links in HTML on the way: a
// text to look for should not be one. Certificates of pods are not verified, as
// the kubelet does not for its probes: pods have no names to be certified.
package gate
