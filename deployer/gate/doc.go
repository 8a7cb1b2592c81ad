// Package gate is the health gate: it checks that every pod of a staged colour answers correctly
// before any user reaches it. [PlanFor] decides what to ask, [Round] asks it once, and
// track.GateWatch judges the rounds.
//
// # Decisions
//
// The gate asks every pod, not the Service: behind a Service, one bad pod of ten hides nine times
// in ten, and an unready pod always does.
//
// The gate distinguishes a bad answer from a failed check. The API server's own answers in the
// pod proxy (401, 429, an unreachable node) are no evidence about the application's health. The
// price: a gate may end without a culprit, and the release then ends as the world's fault.
//
// A failed check neither passes a round nor breaks a row of passed ones. The verdict at the
// deadline is that of the last round. Until then a bad answer means "not yet": pods may start in
// any order, and refuse connections at first.
//
// A round stops at the first bad answer. It then knows enough, and hundreds of hanging pods cost
// the time of one.
//
// Commands run once all requests of a round were answered well. They go through the API server
// over WebSocket, or over SPDY if WebSocket is refused. Nothing in the API ends a command, so one
// that does not end in time keeps running. If the API server loses its connection to the node, it
// reports the command as a success (the error stream ends without a message, client-go
// remotecommand errorstream.go). So a pass counts only if the node still answers, with a line of
// the container's log. The gate does not notice a connection that breaks while the node lives;
// that is one reason for several rounds in a row.
//
// No command runs in a colour that users reach: see [LivePlanFor].
//
// Inside the cluster, requests go to the pod's own address. Outside, they go through the API
// server, which rewrites links in HTML: do not look for a link in the body. Like the kubelet in
// its probes, the gate does not verify the certificates of pods: a pod has no name that a
// certificate could confirm.
package gate
