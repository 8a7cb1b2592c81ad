package command

import (
	"slices"
	"strings"
)

// Verb is what a command asks for.
type Verb string

// The commands. docs/commands.md has what each of them does in every state.
const (
	Promote  Verb = "promote"  // put this pull request's commit in front of users
	Rollback Verb = "rollback" // go back to the version before the last switch
	Cancel   Verb = "cancel"   // stop this pull request's release before it moves users
	Retry    Verb = "retry"    // release this pull request's commit once more
	Lock     Verb = "lock"     // let no release move users
	Unlock   Verb = "unlock"   // let them again
	Status   Verb = "status"   // show what is live and what is under way
	Help     Verb = "help"     // show how the application is set up, and the commands
)

// Verbs has every command, in the order of the help.
var Verbs = []Verb{Promote, Rollback, Cancel, Retry, Lock, Unlock, Status, Help}

// known reports whether a verb is a command.
func (v Verb) known() bool { return slices.Contains(Verbs, v) }

// OnlyReads reports whether a command changes nothing. Everybody who may comment may
// give such a command, and it is answered even when it is late.
func (v Verb) OnlyReads() bool { return v == Status || v == Help }

// AboutCommit reports whether a command is about its pull request, or about a version.
// Only such a command may have a hash.
func (v Verb) AboutCommit() bool {
	return v == Promote || v == Rollback || v == Cancel || v == Retry
}

// Command is a request written into a comment.
type Command struct {
	Verb Verb `json:"verb"`
	// Application is the name given with it, or namespace/name; empty if none.
	Application string `json:"application,omitempty"`
	// Commit is the hash given with it, in short or in full; empty if none. It
	// may only confirm what the command means, never select something else.
	Commit string `json:"commit,omitempty"`
	// Reason of a lock, in the person's own words: untrusted, on one line, at most
	// 500 characters. It is shown, never acted upon.
	Reason string `json:"reason,omitempty"`
}

// String returns the command as it is typed. A reason in it may hold anything, so show
// the command by code.
func (c Command) String() string {
	words := []string{"/" + string(c.Verb)}
	for _, word := range []string{c.Application, c.Commit, c.Reason} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}
