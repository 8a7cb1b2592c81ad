package command

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// UsageError is a command that was recognised but not understood. The caller answers with
// its fact.
type UsageError struct{ Fact }

// Error implements error.
func (e *UsageError) Error() string { return "not understood: " + string(e.Code) }

func misused(verb Verb, how Code, words ...string) error {
	return &UsageError{Fact{how, Args{Words: words, Next: []Command{{Verb: verb}}}}}
}

// argument is the allow-list for every word of a comment that reaches the bot, except a
// lock's reason. Such a word cannot be a flag, a path that climbs, or anything that a shell
// interprets. One slash may separate a namespace from a name.
var argument = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$`)

// TooLong is the answer to a comment that is too long to be parsed.
var TooLong = Fact{CodeTooLong, Args{Number: MaxParsed >> 10}}

// Parse finds the command of a comment: a line that starts with /name, in a paragraph at
// the top level. Code, quotes, lists, tables, footnotes, mathematics and HTML contain no
// commands, and nothing after incomplete HTML is one. It returns nil if there is none, or
// if a line starts with another bot's command. It returns a [UsageError] for a malformed
// command, for several, or for a comment that is too long, and a [NearMiss] for a line that
// looks like a mistyped command.
func Parse(body string) (*Command, error) {
	switch begins := scan(body); {
	case begins == foundNothing, begins == foundNear && len(body) > MaxParsed:
		return nil, nil
	case len(body) > MaxParsed:
		return nil, &UsageError{TooLong}
	}
	var found *Command
	var near *NearMiss
	for _, line := range plainLines(body) {
		name, rest := cutBlank(strings.TrimPrefix(line, "/"))
		verb := Verb(name)
		if !verb.known() {
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

// cutBlank splits a line after its first word.
func cutBlank(line string) (first, rest string) {
	i := strings.IndexAny(line, blanks)
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.Trim(line[i:], blanks)
}

// parseArguments reads the words after a verb. Only [Command.Settle] knows the names of
// applications. Until then a word that can be a hash is one, and a lock has only a reason.
func parseArguments(verb Verb, rest string) (*Command, error) {
	if verb == Lock {
		return &Command{Verb: Lock, Reason: prose.Characters(prose.OneLine(rest), v1alpha1.MaxLockReason)}, nil
	}
	if verb == Contract {
		return parseContract(rest)
	}
	words := strings.FieldsFunc(rest, isBlank)
	for _, word := range words {
		if !argument.MatchString(word) {
			return nil, misused(verb, CodeBadArgument)
		}
	}
	c := &Command{Verb: verb}
	words, c.Weight = cutWeight(verb, words)
	switch {
	case len(words) == 0:
	case len(words) > 2 || len(words) > 1 && !verb.AboutCommit():
		return nil, misused(verb, CodeTooManyWords)
	case len(words) == 1 && verb.AboutCommit() && v1alpha1.IsCommitStart(words[0]):
		c.Commit = words[0]
	case len(words) == 1:
		c.Application = words[0]
	case v1alpha1.IsCommitStart(words[1]):
		c.Application, c.Commit = words[0], words[1]
	case v1alpha1.IsCommitStart(words[0]):
		c.Application, c.Commit = words[1], words[0]
	default:
		return nil, misused(verb, CodeNoHash, words...)
	}
	return c, nil
}

// parseContract reads the words after /contract: an application, and retry, or done with a reason.
func parseContract(rest string) (*Command, error) {
	c := &Command{Verb: Contract}
	first, more := cutBlank(strings.Trim(rest, blanks))
	if first != "" && first != ContractRetry && first != ContractDone {
		if !argument.MatchString(first) {
			return nil, misused(Contract, CodeBadArgument)
		}
		c.Application = first
		first, more = cutBlank(more)
	}
	switch c.Mode = first; {
	case first == "":
	case first == ContractDone:
		c.Reason = prose.Characters(prose.OneLine(more), v1alpha1.MaxLockReason)
	case first != ContractRetry || more != "":
		return nil, misused(Contract, CodeTooManyWords)
	}
	return c, nil
}

// cutWeight takes the share of the users out of the words of a promotion.
func cutWeight(verb Verb, words []string) (others []string, weight int32) {
	for i, word := range words {
		n, err := strconv.ParseUint(word, 10, 8)
		if verb == Promote && err == nil && n >= 1 && n <= v1alpha1.Everybody {
			return slices.Delete(words, i, i+1), int32(n)
		}
	}
	return words, 0
}
