package bot

import (
	"fmt"
	"regexp"
	"strings"
)

// Verb is what a command asks for.
type Verb string

// The commands. What each of them does where is docs/commands.md.
const (
	Promote  Verb = "promote"  // put this pull request's commit in front of users
	Rollback Verb = "rollback" // go back to the version before the last switch
	Cancel   Verb = "cancel"   // stop this pull request's release before it moves users
	Retry    Verb = "retry"    // release this pull request's commit once more
	Lock     Verb = "lock"     // let no release move users
	Unlock   Verb = "unlock"   // let them again
	Status   Verb = "status"   // say what is live and what is under way
	Help     Verb = "help"     // say how the application is set up, and the commands
)

// form is how a command is written, and what it does, for people.
type form struct {
	verb      Verb
	arguments string // as they are shown
	does      string // a sentence without its full stop
}

// forms has every command, in the order in which they are explained.
var forms = []form{
	{Promote, "[application] [sha]", "puts this pull request's commit in front of users; a sha confirms which commit that is"},
	{Rollback, "[application] [sha]", "takes users back to the version before; a sha names the version to leave, from any pull request"},
	{Cancel, "[application] [sha]", "stops this pull request's release, as long as it has not begun to move users"},
	{Retry, "[application] [sha]", "releases this pull request's commit once more, after its last attempt has ended"},
	{Lock, "[application] [reason]", "keeps releases from moving users, until `/unlock`; `/rollback` works all the same"},
	{Unlock, "[application]", "takes the lock away, whoever set it"},
	{Status, "[application]", "says what is live, what is under way, and what is in the way"},
	{Help, "[application]", "shows how the application is set up, and this list"},
}

// formOf returns how a verb is written; ok is false if it is no command.
func formOf(v Verb) (f form, ok bool) {
	for _, f := range forms {
		if f.verb == v {
			return f, true
		}
	}
	return form{}, false
}

// usage is the command with its arguments, as a code span.
func (f form) usage() string { return fmt.Sprintf("`/%s %s`", f.verb, f.arguments) }

// onlyReads reports whether a command changes nothing: whoever may comment may
// give it, and late it is as good as in time.
func (v Verb) onlyReads() bool { return v == Status || v == Help }

// aboutCommit reports whether a command is about the pull request that it is
// written on, or about a version: only with such a one a hash may be typed.
func (v Verb) aboutCommit() bool {
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

// String returns the command as it is typed. With a reason in it, it may hold
// anything: show it by code.
func (c Command) String() string {
	words := []string{"/" + string(c.Verb)}
	for _, word := range []string{c.Application, c.Commit, c.Reason} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// UsageError is a command that was recognised but cannot be understood. Answer it.
type UsageError struct{ Fact }

// Error implements error.
func (e *UsageError) Error() string { return inMarkdown(e.Fact).String() }

func misused(verb Verb, how Code, words ...string) error {
	return &UsageError{Fact{how, Args{Words: words, Next: []Command{{Verb: verb}}}}}
}

// argument is the one allow-list for every word that reaches the bot from a
// comment, but for a lock's reason: it cannot be a flag, a path that climbs, or
// anything a shell reads. One slash may part a namespace from a name.
var argument = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$`)

// shortHash is a commit's hash, or its beginning, at least as long as GitHub
// shows it.
var shortHash = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// maxReason is the length of a lock's reason in characters; the schema takes no
// longer one.
const maxReason = 500

// tooLong is a comment in which no command is looked for.
var tooLong = Fact{CodeTooLong, Args{Number: maxParsed >> 10}}

// ParseCommand finds the command of a comment. A command is a line that starts
// with /name in a paragraph at the top level; code, quotes, lists, tables,
// footnotes, mathematics and HTML hold none, and neither does what follows HTML
// that is not complete, nor lines that start with the name of somebody else's
// command. It returns nil if there is none, a [UsageError] for one that is
// malformed, if there are several or if the comment is too long to be parsed,
// and a [NearMiss] if there is none but a line that looks like one mistyped.
func ParseCommand(body string) (*Command, error) {
	switch begins := scan(body); {
	case begins == foundNothing, begins == foundNear && len(body) > maxParsed:
		return nil, nil
	case len(body) > maxParsed:
		return nil, &UsageError{tooLong}
	}
	var found *Command
	var near *NearMiss
	for _, line := range plainLines(body) {
		name, rest := cutBlank(strings.TrimPrefix(line, "/"))
		verb := Verb(name)
		if _, ok := formOf(verb); !ok {
			if near == nil {
				near = nearMiss(name)
			}
			continue
		}
		if found != nil {
			return nil, &UsageError{Fact{Code: CodeSeveralCommands}}
		}
		c, err := parseArguments(verb, rest)
		if err != nil {
			return nil, err
		}
		found = c
	}
	if found == nil && near != nil {
		return nil, near
	}
	return found, nil
}

// cutBlank splits a line behind its first word.
func cutBlank(line string) (first, rest string) {
	i := strings.IndexAny(line, blanks)
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.Trim(line[i:], blanks)
}

// parseArguments reads what stands behind a verb. Which word is an application's
// name can only be told where the applications are known, see [Command.settle]:
// until then a word that can be a hash is one, and a lock has only a reason.
func parseArguments(verb Verb, rest string) (*Command, error) {
	if verb == Lock {
		return &Command{Verb: Lock, Reason: truncate(oneLine(rest), maxReason)}, nil
	}
	words := strings.FieldsFunc(rest, isBlank)
	for _, word := range words {
		if !argument.MatchString(word) {
			return nil, misused(verb, CodeBadArgument)
		}
	}
	c := &Command{Verb: verb}
	switch {
	case len(words) == 0:
	case len(words) > 2 || len(words) > 1 && !verb.aboutCommit():
		return nil, misused(verb, CodeTooManyWords)
	case len(words) == 1 && verb.aboutCommit() && shortHash.MatchString(words[0]):
		c.Commit = words[0]
	case len(words) == 1:
		c.Application = words[0]
	case shortHash.MatchString(words[1]):
		c.Application, c.Commit = words[0], words[1]
	case shortHash.MatchString(words[0]):
		c.Application, c.Commit = words[1], words[0]
	default:
		return nil, misused(verb, CodeNoHash, words...)
	}
	return c, nil
}
