package command

import "strings"

// MaxParsed is the length in bytes up to which a comment is parsed. The parser
// needs more than linear time and memory for some texts, anybody may comment,
// and GitHub takes 65,536 characters. A command and what is said around it is
// far shorter.
const MaxParsed = 8 << 10

// blanks part the words of a command. A no-break space is among them: it looks
// like a blank, and some keyboards type it easily. No other character that
// cannot be seen is one, so a line with it is no command.
const blanks = " \t\u00a0"

func isBlank(r rune) bool { return strings.ContainsRune(blanks, r) }

// finding is what a scan of a comment finds at the beginning of a line.
type finding int

const (
	foundNothing finding = iota
	foundNear            // a slash and a word that is nearly a command
	foundVerb            // a slash and a command
)

// MayHold reports whether a comment has a line that begins as a command,
// or nearly, wherever it stands. It reads the body once and allocates nothing:
// ask it before anything that costs, since anybody may comment. [Parse]
// finds nothing where it reports false.
func MayHold(body string) bool { return scan(body) != foundNothing }

// scan finds the most that any line of a comment begins with.
func scan(body string) finding {
	most, rest := foundNothing, body
	for more := true; more; {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		line = strings.TrimSuffix(line, "\r")
		if strings.IndexByte(line, '\r') >= 0 {
			// Markdown ends a line there, and almost nothing else does: where
			// lines end differently, so do blocks. Nobody types it.
			return foundNothing
		}
		if name, ok := commandName(line); ok && most != foundVerb {
			if Verb(name).known() {
				most = foundVerb
			} else if _, near := nearVerb(name); near {
				most = foundNear
			}
		}
	}
	return most
}

// commandName returns the word behind the slash that a line begins with.
func commandName(line string) (name string, ok bool) {
	line, ok = strings.CutPrefix(strings.TrimLeft(line, " \t"), "/")
	if !ok {
		return "", false
	}
	if i := strings.IndexAny(line, blanks); i >= 0 {
		line = line[:i]
	}
	return line, true
}
