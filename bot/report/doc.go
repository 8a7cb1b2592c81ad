// Package report turns the record into text: what GitHub shows about a release, and how the
// bot answers a comment. It is pure: the same record always gives the same text.
//
// [Of] makes the [Report] of a release: its [Deployment] and the comment of its pull
// requests. [Say] and [Answer] turn a fact into the text of a comment, [Reply] makes the
// whole comment. [Around] is what a report needs beside the release.
//
// A [Surface] is a place where people read, with a table of texts by code. The table for
// comments is here, the one for the terminal is in cmd/turnout. Package command has the
// codes of decisions; [WaitingCode] and [FailureCode] make codes from a record. Tests check
// that every surface has a text for every code.
//
// # Tour
//
//   - report.go puts a [Report] together from view.go, what one report knows of a release, and
//     around.go. The parts of the comment, from its top: headline.go, outcome.go, facts.go,
//     evidence.go with findings.go, metrics.go, timeline.go, proof.go, next.go. tab.go and
//     deployment.go are for the Deployments tab, digest.go compares reports.
//   - Answers to commands: reply.go, status.go, help.go with usage.go.
//   - Texts by code: surface.go fills in the arguments (words.go); texts.go has the decisions
//     of commands, waits.go what a release waits for, failures.go why it failed. record.go and
//     record_code.go make these codes from a record. lineage.go finds what replaced a release.
//   - markdown.go makes texts from outside harmless, shell.go shows commands, time.go times.
//
// # Decisions
//
// A report uses no clock. Its times are absolute, and a step under way shows when it began.
// The reader has to subtract, but the bot can compare what is published with what should
// be.
//
// Every text from outside goes through plain, code or fence on its way into a comment. It
// cannot break out of its place or mention anybody.
//
// If a comment is too long, it drops whole entries and counts them. A command is shown
// whole or not at all.
package report
