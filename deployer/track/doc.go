// Package track decides: which step a release is at, whether what it rests on
// holds, how long a step may take, and what follows from what was seen. It is pure:
// no context, clock, log or client; the time is part of what was observed. What is
// decided here is done by the acts of deployer.
//
// # Tour
//
//   - routes.go, side.go and news.go are what is observed of an Ingress, of one
//     colour's objects, and of what a load balancer's controller said. Package route
//     and package workload fill them.
//   - warm.go judges whether a colour can take users' requests; size.go how large it
//     must be.
package track
