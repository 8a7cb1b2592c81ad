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
// each have a table of words for them. Every sentence is written twice for that, and no
// program has to parse one.
//
// A command never selects a commit: /promote means the commit that merging the pull
// request made, and a hash typed with it may only confirm that. Nobody can push something
// else between the typing and the reading.
//
// HTML that may be incomplete ends all commands of a comment; it is not repaired as
// browsers do. A command behind an unclosed tag is lost for that, and every reader sees
// the text that was executed.
package command
