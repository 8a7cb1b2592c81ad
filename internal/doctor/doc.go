// Package doctor says what is missing or wrong around Turnout: in the cluster, and about each
// application. `turnout doctor` prints it.
//
// [Observe] reads once what several checks need. [Run] runs checks beside one another, each
// within its time. A check returns [Finding] values, which are data: what is wrong, with which
// object and field, the commands that mend it, and what that does to live users.
//
//   - installed.go compares config/, as this binary has it, with what is in the cluster.
//   - rights.go asks the API server what Turnout's account may do.
//   - turnout.go looks at Turnout itself: its pods, its Secret, its lease.
//   - github.go asks GitHub about the App, google.go asks Google what Turnout may do.
//   - applications.go and controllers.go look at applications.
//
// # Decisions
//
// A check that got no answer is a finding of its own severity, Unknown. It fails the command,
// since nobody knows that all is well, but it is never shown as an error of what was not seen.
//
// An object counts as this version's if it has every field that config/ sets, with that
// value. What the API server or somebody else added beside them does not matter, except in
// lists.
//
// Rights are asked of the API server and not read from roles, so rights that come from
// elsewhere count. In its own pod Turnout asks about itself. Anybody else asks about Turnout's
// account, which takes the rights of a cluster administrator.
//
// What serve finds out about an application is read from the record, and not judged again, so
// both always say the same.
package doctor
