package report

import (
	"fmt"

	"github.com/turnout-dev/turnout/bot/command"
)

// form describes a command to people.
type form struct {
	arguments string // as shown
	does      string // a sentence without its full stop
}

// forms has one for every command.
var forms = map[command.Verb]form{
	command.Promote: {
		"[application] [sha] [100]", "puts this pull request's commit in front of users; a sha confirms which commit that is, and 100 " +
			"takes all steps of a canary that remain",
	},
	command.Rollback: {
		"[application] [sha]", "takes users back to the version before; a sha names the version to leave, from any pull request",
	},
	command.Cancel: {"[application] [sha]", "stops this pull request's release before its switch"},
	command.Retry:  {"[application] [sha]", "releases this pull request's commit once more, after its last attempt has ended"},
	command.Lock:   {"[application] [reason]", "keeps releases from moving users until `/unlock`; `/rollback` still works"},
	command.Unlock: {"[application]", "removes the lock, whoever set it"},
	command.Contract: {
		"[application] [retry] [done reason]", "removes from the database what only older versions need, once nothing runs one; after a " +
			"failure `retry` runs it again, and `done` declares it done",
	},
	command.Status: {"[application]", "shows what is live, what is under way, and what blocks it"},
	command.Help:   {"[application]", "shows how the application is set up, and this list"},
}

// usage is the command with its arguments, as a code span.
func usage(v command.Verb) string { return fmt.Sprintf("`/%s %s`", v, forms[v].arguments) }

// usageOf says how to type a command.
func usageOf(v command.Verb) string {
	return fmt.Sprintf("Type %s, on a line of its own: it %s.", usage(v), forms[v].does)
}
