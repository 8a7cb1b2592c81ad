// Package command finds the command of a comment and decides what becomes of it. It is
// pure: it has no client, reads no clock and has no sentence. What it needs to know
// somebody read before, and what it decides is a code with its arguments.
//
// A comment goes through three sieves, the cheapest first: [MayHold] scans it for a line
// that begins as a command, [Parse] reads the Markdown around that line, since hidden
// text gives no commands, and [Command.Settle] and [Meant] find out which application is
// meant. A typing error becomes a [NearMiss], which is never executed.
//
// [Decide] takes a [Situation] and returns a [Decision]: a [Fact], and at most one change
// of the record. The command line asks the same function, so a command means the same
// wherever it is typed. [FindWayBack] says how fast users would be back.
//
// # Decisions
//
// Decisions are codes with arguments, not sentences: comments, the terminal and programs
// each have one table of words for them. It costs every sentence twice, and nobody has to
// parse one to say it otherwise.
//
// A command never selects a commit: /promote means the commit that merging the pull
// request made, and a hash typed with it may only confirm that. Nobody can push something
// else between the typing and the reading.
//
// HTML that is not plainly complete ends all commands of a comment, instead of being
// repaired as browsers do. It costs a command behind an unclosed tag, and no reader is
// shown another text than the one that was executed.
package command
