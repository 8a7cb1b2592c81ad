// Package track decides. It determines which step a release is at, whether that step's conditions
// hold, how long the step may take, and what follows from an observation. It is pure: no context,
// clock, log or client; the time is part of the observation. The acts of package deployer carry
// out its decisions. Each act is bound to the name of its step.
//
// # Tour
//
//   - steps.go is the product's table of contents: the rows of the three tracks, and [Next].
//     A row names its milestone (milestones.go), what must hold when it acts (needs.go), how
//     long it may take, and how to explain a delay (late.go). waiting.go describes what a
//     release waits for.
//   - observed.go is the input of Next: [Routes] and [Group] of an Ingress (routes.go),
//     [News] of its controller (news.go), and each colour's [Side] (side.go). Behind a Gateway,
//     gateway.go has what its routes and controllers report. workers.go has the application's
//     workers, and which side's are to run. Packages route and workload fill all of them.
//   - interference.go finds what somebody else changed during a release. undo.go determines
//     what a failed release still does, and how it ends.
//   - The judges: warm.go decides whether a colour can take users' requests (target.go
//     applies it to a release); size.go how large it must be; gate.go whether it passed the
//     health gate; shift.go whether a canary's share of the users may grow; confirm.go whether
//     a switch took effect; soak.go whether the version holds, and metrics.go what its metrics
//     show; livewatch.go whether the live version suffers from a migration; wayback.go whether users could go back at once.
//   - ready.go decides whether an application's releases can run, and what blocks them;
//     selector.go whether its Services send users to the right pods.
//   - switched.go reads the record of the last switch: whether the load balancer took it up,
//     and when the colour that users left may be changed.
package track
