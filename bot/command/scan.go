package command

import (
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// MaxParsed is the longest comment that is parsed, in bytes. For some texts the parser
// needs more than linear time and memory, everybody may comment, and GitHub accepts 65,536
// characters. A command and the text around it are far shorter.
const MaxParsed = v1alpha1.MaxCommentBody

// blanks separate the words of a command. The no-break space is one: it looks like a blank,
// and some keyboards type it easily. Other invisible characters are not, so a line with one
// is not a command.
const blanks = " \t\u00a0"

func isBlank(r rune) bool { return strings.ContainsRune(blanks, r) }

// finding is what a scan finds at the beginning of a line.
type finding int

const (
	foundNothing finding = iota
	foundNear            // a slash and a word that is nearly a command
	foundVerb            // a slash and a command
)

// MayHold reports whether any line of a comment begins like a command, or nearly. If it
// does not, [Parse] finds nothing. It reads the body once and allocates nothing: call it
// before anything expensive, since everybody may comment.
func MayHold(body string) bool { return scan(body) != foundNothing }

// scan returns the strongest finding in a comment.
func scan(body string) finding {
	most, rest := foundNothing, body
	for more := true; more; {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		line = strings.TrimSuffix(line, "\r")
		if strings.IndexByte(line, '\r') >= 0 {
			// Only Markdown ends a line there. Where tools disagree on lines, they disagree
			// on blocks. Nobody types it.
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

// commandName returns the word after the slash at the beginning of a line.
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
