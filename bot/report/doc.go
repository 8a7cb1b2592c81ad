// Package report puts the record into words: what GitHub shows of a release, and what
// the bot answers. It is pure: the same record always gives the same text.
//
// [Of] makes the [Report] of a release: its [Deployment] and the comment of its pull
// requests. [Say] and [Answer] put a fact into the words of a comment, [Reply] makes the
// whole comment. [Around] is what a report needs to know beside the release.
//
// A [Surface] is a place where people read, with a table of texts by code: comments have
// theirs here, the terminal has its own in cmd/turnout. Codes of decisions come from
// package command; [WaitingCode] and [FailureCode] name what a record says. Tests hold
// that every code has a text on every surface.
//
// # Decisions
//
// A report takes no clock: times in it are absolute, and a step under way says since
// when. It costs the reader a subtraction, and what is published can be compared with
// what should be.
//
// Every text from outside goes through plain, code or fence before it stands in a
// comment. Nothing there can break out of its place or mention anybody.
//
// A comment that is too long loses whole entries, and says how many. A command is shown
// whole or not at all.
package report
