package main

import (
	"fmt"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// maxClaims is the longest cause.claims.
const maxClaims = 300

// cut shortens a line to a terminal's width.
func cut(s string, width int) string {
	if width <= 0 || utf8.RuneCountInString(s) <= width {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(0, width-1)]) + "…"
}

// minuteOf shows a day and a time.
func minuteOf(t *metav1.Time) string {
	if t == nil {
		return "a time that is not recorded"
	}
	return prose.Minute(t.Time)
}

// secondOf shows a time.
func secondOf(t *metav1.Time) string {
	if t == nil {
		return "then"
	}
	return t.UTC().Format("15:04:05 UTC")
}

// ago shows how long ago something was, like kubectl.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(0, d).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// commandLines shows commands, each whole on a line, to be copied. It leaves out commands
// that do not look like what they are.
func commandLines(commands []v1alpha1.ShellCommand) []string {
	var lines []string
	for _, c := range commands {
		if c.Shown() {
			lines = append(lines, "    "+string(c))
		}
	}
	return lines
}
