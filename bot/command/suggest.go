package command

// NearMiss is a line that looks like a mistyped command. It is never executed. Answer it
// only for people who may give commands: it may be meant for another bot.
type NearMiss struct {
	Typed string // letters, - and _ only
	Meant Verb
}

// Error implements error.
func (e *NearMiss) Error() string { return "/" + e.Typed + " may mean /" + string(e.Meant) }

// Fact is the answer to the author.
func (e *NearMiss) Fact() Fact {
	return Fact{CodeNearMiss, Args{Typed: "/" + e.Typed, Next: []Command{{Verb: e.Meant}, {Verb: Help}}}}
}

// synonym is a word that people use for a command.
var synonym = map[string]Verb{"deploy": Promote}

// foreign has commands of other widely used bots, and plain words, that differ from one of
// our commands only by a typing error.
var foreign = map[string]bool{
	"helm": true, "look": true, "prompt": true, "retro": true, "stats": true, "unblock": true,
}

// nearMiss returns the command that a name is nearly, or nil.
func nearMiss(name string) *NearMiss {
	if verb, near := nearVerb(name); near {
		return &NearMiss{name, verb}
	}
	return nil
}

// maxTyped is the longest word that may be a mistyped command.
const maxTyped = 20

// nearVerb returns the command that a name is nearly, without allocating. It must not
// answer commands for another bot. So it requires the same first letter, which hardly
// anybody mistypes, and accepts one slip in a short word, two in a long one. Capitals, -
// and _ are not slips.
func nearVerb(name string) (Verb, bool) {
	var letters [maxTyped]byte
	folded, ok := lowerLetters(letters[:0], name)
	if !ok || foreign[string(folded)] {
		return "", false
	}
	if verb, ok := synonym[string(folded)]; ok {
		return verb, true
	}
	const longWord = 7
	for i := range Verbs {
		verb, slips := string(Verbs[i]), 1
		if len(verb) >= longWord {
			slips = 2
		}
		if folded[0] == verb[0] && len(folded) <= len(verb)+slips && distance(folded, verb) <= slips {
			return Verbs[i], true
		}
	}
	return "", false
}

// lowerLetters appends the lower-case letters of a name that may be a command. Paths and
// version numbers are not.
func lowerLetters(into []byte, name string) (folded []byte, ok bool) {
	if len(name) < 3 || len(name) > maxTyped {
		return nil, false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z':
			into = append(into, c)
		case c >= 'A' && c <= 'Z':
			into = append(into, c-'A'+'a')
		case c != '-' && c != '_':
			return nil, false
		}
	}
	return into, len(into) > 0
}

// distance counts the slips between a word and a command: a letter too many, one
// missing, a wrong one, or two neighbours exchanged (optimal string alignment).
func distance(a []byte, b string) int {
	var before, last, row [maxTyped + 1]int
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
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
