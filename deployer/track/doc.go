// Package track decides: which step a release is at, whether the conditions of that step
// hold, how long it may take, and what follows from an observation. It is pure:
// no context, clock, log or client; the time is part of the observation. The acts of
// package deployer carry its decisions out, each bound to the name of its step.
//
// # Tour
//
//   - steps.go is the whole product as a table of contents: the rows of the three
//     tracks, and [Next]. A row names its milestone (milestones.go), what must hold
//     when it acts (needs.go), how long it may take, and how to find out whose fault it
//     is if it takes longer (late.go).
//   - observed.go is what Next decides on: [Routes] and [Group] of an Ingress
//     (routes.go), [News] of its controller (news.go), and each colour's [Side]
//     (side.go). Package route and package workload fill them.
//   - interference.go finds what somebody else changed during a release; undo.go says what
//     a failed release still does, and how it ends.
//   - The judges: warm.go, whether a colour can take users' requests, with target.go
//     for a release's; size.go how large it must be; gate.go whether it passed the
//     health gate; confirm.go whether a switch took effect; soak.go whether it holds;
//     wayback.go whether users could go back at once.
//   - ready.go says whether an application's releases can run, and what blocks them;
//     selector.go whether its Services send users where they should.
//   - switched.go reads the record of the last switch: whether the load balancer took it
//     up, and when the colour that users left may be touched.
package track
