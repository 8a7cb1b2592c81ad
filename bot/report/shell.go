package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// maxSpan is the length up to which a command stands in the line of its text; a
// longer one would be broken there, where nobody sees its spaces.
const maxSpan = 80

// withCommands shows the commands that do what a text says, below or behind it: each
// whole and as it is, so that it can be copied, or not at all. The text is Markdown.
func withCommands(text string, commands []v1alpha1.ShellCommand) string {
	var shown []v1alpha1.ShellCommand
	for _, c := range commands {
		if c.Shown() && len(shown) < v1alpha1.MaxCommands { // a record may hold anything
			shown = append(shown, c)
		}
	}
	switch {
	case len(shown) == 0:
		return text
	case len(shown) == 1 && spans(shown[0]):
		return strings.TrimRight(text, ".: ") + ": " + inLine(shown[0])
	}
	return strings.TrimRight(text, ".: ") + ":\n\n" + fence("sh", v1alpha1.Lines(shown))
}

// spans reports whether a command can stand in a line: it is short, and every
// character of it is shown there.
func spans(c v1alpha1.ShellCommand) bool {
	return len(c) <= maxSpan && !strings.Contains(string(c), "`") && !strings.Contains(string(c), "  ")
}

// inLine shows such a command.
func inLine(c v1alpha1.ShellCommand) string { return "`" + string(c) + "`" }

// item is an item of a list, whatever lines it has.
func item(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:] {
		if line != "" {
			lines[i+1] = "  " + line
		}
	}
	return "- " + strings.Join(lines, "\n")
}

// whole returns the entries of a list that there is room for, in characters, each
// whole, and how many are left out. One of them costs spare characters more.
func whole(entries []string, room, spare int) (kept []string, more int) {
	for i, entry := range entries {
		if room -= utf8.RuneCountInString(entry) + spare; room < 0 {
			return entries[:i], len(entries) - i
		}
	}
	return entries, 0
}

// andMore says how many entries are left out; empty if none is.
func andMore(more int, of string) string {
	if more <= 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("and %d more %s", more, of))
}
