package command

import (
	"slices"
	"strconv"
	"strings"
)

// Verb is what a command asks for.
type Verb string

// The commands. docs/commands.md shows what each of them does in every state.
const (
	Promote  Verb = "promote"  // put this pull request's commit in front of users
	Rollback Verb = "rollback" // go back to the version before the last switch
	Cancel   Verb = "cancel"   // stop this pull request's release before it moves users
	Retry    Verb = "retry"    // release this pull request's commit again
	Lock     Verb = "lock"     // keep releases from moving users
	Unlock   Verb = "unlock"   // remove the lock
	Contract Verb = "contract" // run the live version's contract, or declare it done
	Status   Verb = "status"   // show what is live and what is under way
	Help     Verb = "help"     // show the application's settings, and the commands
)

// Verbs has every command, in the order of /help.
var Verbs = []Verb{Promote, Rollback, Cancel, Retry, Lock, Unlock, Contract, Status, Help}

// known reports whether a verb is a command.
func (v Verb) known() bool { return slices.Contains(Verbs, v) }

// OnlyReads reports whether a command changes nothing. Everybody who may comment may use
// it, and it is answered however late it comes.
func (v Verb) OnlyReads() bool { return v == Status || v == Help }

// AboutCommit reports whether a command is about its pull request or a version. Only such a
// command may include a hash.
func (v Verb) AboutCommit() bool {
	return v == Promote || v == Rollback || v == Cancel || v == Retry
}

// Command is a request written into a comment.
type Command struct {
	Verb Verb `json:"verb"`
	// Application is a name, or namespace/name; empty if none was typed.
	Application string `json:"application,omitempty"`
	// Commit is a hash, short or full; empty if none was typed. It only confirms what the
	// command means, and never selects something else.
	Commit string `json:"commit,omitempty"`
	// Weight is the share of the users to which a canary is promoted, of 100; 0 if none was
	// typed.
	Weight int32 `json:"weight,omitempty"`
	// Mode of a contract: retry, done, or none.
	Mode string `json:"mode,omitempty"`
	// Reason is why somebody locks, or declares a contract done, in their own words: untrusted, on one line, at most 500
	// characters. It is only shown.
	Reason string `json:"reason,omitempty"`
}

// String returns the command as people type it. Its reason may contain anything, so format
// the result as code.
func (c Command) String() string {
	words, weight := []string{"/" + string(c.Verb)}, ""
	if c.Weight > 0 {
		weight = strconv.Itoa(int(c.Weight))
	}
	for _, word := range []string{c.Application, c.Commit, weight, c.Mode, c.Reason} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}
