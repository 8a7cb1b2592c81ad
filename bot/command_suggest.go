package bot

import (
	"fmt"
	"regexp"
	"strings"
)

// NearMiss is a line in a command's place that looks like a mistyped command. It
// is never executed; tell its author what may be meant, but only somebody who
// may give commands: it may as well be meant for somebody else.
type NearMiss struct {
	Typed string // letters, - and _ only
	Meant Verb
}

// Error implements error.
func (e *NearMiss) Error() string {
	return fmt.Sprintf("There is no command `/%s`. Did you mean `/%s`?", e.Typed, e.Meant)
}

// typable is a name that somebody may have meant as a command; paths and version
// numbers are none.
var typable = regexp.MustCompile(`^[A-Za-z_-]{3,20}$`)

// synonym is a word that people use for a command.
var synonym = map[string]Verb{"deploy": Promote}

// foreign are commands of other widely used bots, and plain words, that come as
// near to one of ours as a slip of the hand does.
var foreign = map[string]bool{
	"helm": true, "look": true, "prompt": true, "retro": true, "stats": true, "unblock": true,
}

// nearMiss returns the command that a name is nearly, or nil. It must not answer
// what is meant for another bot, so it demands the same first letter, which
// hardly anybody mistypes, and bears one slip in a short word, two in a long one.
// Capitals, - and _ are no slips.
func nearMiss(name string) *NearMiss {
	if !typable.MatchString(name) {
		return nil
	}
	folded := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	if folded == "" || foreign[folded] {
		return nil
	}
	if verb, ok := synonym[folded]; ok {
		return &NearMiss{name, verb}
	}
	const longWord = 7
	for _, f := range forms {
		verb, slips := string(f.verb), 1
		if len(verb) >= longWord {
			slips = 2
		}
		if folded[0] == verb[0] && distance(folded, verb) <= slips {
			return &NearMiss{name, f.verb}
		}
	}
	return nil
}

// distance counts the slips between two words: a letter too many, one missing, a
// wrong one, or two neighbours exchanged (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
