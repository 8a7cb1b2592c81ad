// Package cloudbuildtest is a Cloud Build that keeps its builds in memory and
// speaks the real gRPC protocol.
//
// It reveals no more than the real API does. A new build is missing from lists for a
// while, and listed only under the location it was made in. A step's status appears
// when the build is over. Images are reported only if they are listed. RPCs that it
// does not know answer Unimplemented and are remembered. A Builder does a build's
// work; the server itself fetches and runs nothing.
//
// # Decisions
//
// A lost reply is a call that is performed but answered with Unavailable: to the
// client, a broken connection looks the same. Faults are given per method and used up.
//
// Time is the wall clock. Config sets lag and queue time, short ones for tests; there
// is no clock to replace.
//
// A shell library applies bash-style substitutions (${_A##*/}), unless they have
// nested braces.
package cloudbuildtest
