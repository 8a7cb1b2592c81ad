package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// maxSpan is the length up to which a command stands in the line of its text. GitHub
// would break a longer one, and a reader could not see where its spaces are.
const maxSpan = 80

// withCommands shows the commands that do what a text says, below or behind it. Each is
// shown unchanged and whole, so that it can be copied, or not at all. The text is Markdown.
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

// spans reports whether a command can stand in a line: it is short, and Markdown
// shows every character of it.
func spans(c v1alpha1.ShellCommand) bool {
	return len(c) <= maxSpan && !strings.Contains(string(c), "`") && !strings.Contains(string(c), "  ")
}

// inLine shows a command for which spans holds.
func inLine(c v1alpha1.ShellCommand) string { return "`" + string(c) + "`" }

// item makes a text, of one line or several, an item of a list.
func item(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:] {
		if line != "" {
			lines[i+1] = "  " + line
		}
	}
	return "- " + strings.Join(lines, "\n")
}

// whole returns the entries of a list that fit into room characters, each whole, and
// how many are left out. Each costs spare characters more than its length.
func whole(entries []string, room, spare int) (kept []string, more int) {
	for i, entry := range entries {
		if room -= utf8.RuneCountInString(entry) + spare; room < 0 {
			return entries[:i], len(entries) - i
		}
	}
	return entries, 0
}

// andMore reports how many entries are left out; it is empty if none is.
func andMore(more int, of string) string {
	if more <= 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("and %d more %s", more, of))
}
