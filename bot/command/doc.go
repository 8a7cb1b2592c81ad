// Package command finds the command of a comment and decides what it does. It is pure: it
// has no client, reads no clock and contains no sentences. Its callers read everything that
// it needs, and its decisions are codes with arguments.
//
// A comment passes three stages, the cheapest first. [MayHold] scans it for a line that
// begins like a command. [Parse] reads the Markdown around that line, since hidden text
// gives no commands. [Command.Settle] and [Meant] find the application. A typing error
// becomes a [NearMiss], which is never executed.
//
// [Decide] takes a [Situation] and returns a [Decision]: a [Fact], and at most one change
// of the record. The command line calls the same function, so a command means the same
// wherever it is typed. [FindWayBack] says how fast a rollback would be.
//
// # Tour
//
//   - command.go has the commands. Finding one: scan.go, then parse.go with lines.go, marks.go
//     and html.go, which say what a reader sees; suggest.go for typing errors; application.go
//     and names.go for the application.
//   - Deciding one: situation.go is the input, with pull_request.go and releases.go; decide.go
//     chooses among decide_*.go; decision.go is the result. decide_own.go is for a pull
//     request's own commit, attempt.go for numbers of attempts, release.go makes releases, and
//     wayback.go finds the way back.
//   - comment_code.go and decision_code.go list the codes.
//
// # Decisions
//
// Decisions are codes with arguments, not sentences. Comments and the terminal each have a
// table of texts for them. So every sentence is written twice, but no program has to parse
// one.
//
// A command never selects a commit. /promote means the commit that merging the pull request
// created, and a typed hash only confirms it. So nobody can push something else between the
// typing and the reading.
//
// Incomplete HTML ends all commands of a comment; Turnout does not repair it as browsers
// do. A command behind an unclosed tag is lost, but every reader sees the text that was
// executed.
package command
