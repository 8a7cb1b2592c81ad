// Package fault makes what Turnout talks to fail, and Turnout itself: an HTTP API behind a [Proxy]
// in each of its ways, and a process, which [Process.Crash] kills and [Process.Stall] stops.
//
// # Decisions
//
// A proxy fails only requests, never answers with anything that its API would not answer: a
// status with the API's own kind of body, no answer, a broken connection, an answer that comes
// late, or a list of events without those that their sender dropped.
package fault
