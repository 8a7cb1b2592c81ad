package report

import (
	"regexp"
	"strings"

	"github.com/turnout-dev/turnout/internal/prose"
)

// longDigest is a digest. People need at most its beginning.
var longDigest = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

func shortDigests(s string) string {
	return longDigest.ReplaceAllString(s, "$1…")
}

// maxFindings is how many findings a comment shows.
const maxFindings = 10

// findings shows what a person should know, with the commands for it.
func (e evidence) findings(room int) string {
	all := e.v.rel.Status.Findings
	var items []string
	for _, finding := range all[:min(maxFindings, len(all))] {
		items = append(items, item(withCommands("⚠️ "+plain(prose.Characters(finding.Text, maxAdvice)), finding.Commands)))
	}
	items, _ = whole(items, room-maxMessage, len("\n"))
	if more := len(all) - len(items); more > 0 {
		items = append(items, item(andMore(more, "")))
	}
	return strings.Join(items, "\n")
}
