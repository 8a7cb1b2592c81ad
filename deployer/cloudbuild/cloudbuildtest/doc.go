// Package cloudbuildtest is a Cloud Build that keeps its builds in memory and
// speaks the real gRPC protocol.
//
// It tells no more than the real API does: builds are listed late and only
// under the location they were made in, a step's status appears when the build
// is over, images are reported only if they are listed, and RPCs it does not
// know answer Unimplemented and are remembered. What a build does is up to a
// Builder; the server itself fetches and runs nothing.
//
// # Decisions
//
// A lost reply is a performed call answered with Unavailable, as a connection
// that breaks looks to the client. Faults are given per method and used up.
//
// Time is the wall clock. Lag and queue time are given in Config, short ones
// for tests, rather than through a clock of its own.
//
// Bash-style substitutions (${_A##*/}) are applied by a shell's own library, as
// far as a brace in them is not nested.
package cloudbuildtest
