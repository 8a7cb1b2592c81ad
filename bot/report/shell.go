package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// maxSpan is the longest command that stands in the line of its text. GitHub would break a
// longer one, and hide where its spaces are.
const maxSpan = 80

// withCommands adds commands to a Markdown text, below or behind it. Each is shown whole
// and unchanged, so that it can be copied, or not at all.
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

// spans reports whether a command can stand in a line: it is short, and Markdown shows all
// of its characters.
func spans(c v1alpha1.ShellCommand) bool {
	return len(c) <= maxSpan && !strings.Contains(string(c), "`") && !strings.Contains(string(c), "  ")
}

// inLine shows a command for which spans is true.
func inLine(c v1alpha1.ShellCommand) string { return "`" + string(c) + "`" }

// item turns a text into an item of a list.
func item(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:] {
		if line != "" {
			lines[i+1] = "  " + line
		}
	}
	return "- " + strings.Join(lines, "\n")
}

// whole returns the entries that fit into room characters, and how many it left out. Each
// costs spare characters more than its length.
func whole(entries []string, room, spare int) (kept []string, more int) {
	for i, entry := range entries {
		if room -= utf8.RuneCountInString(entry) + spare; room < 0 {
			return entries[:i], len(entries) - i
		}
	}
	return entries, 0
}

// andMore says how many entries were left out. It is empty if there are none.
func andMore(more int, of string) string {
	if more <= 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("and %d more %s", more, of))
}
