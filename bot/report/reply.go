package report

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Answer turns a fact into the text of a comment. It is empty if the release's own comment
// shows the fact.
func Answer(f command.Fact) string {
	text := Say(f)
	return strings.TrimSpace(text.Says + "\n\n" + text.Next)
}

// limitedNote follows an answer that GitHub's rate limit delayed.
const limitedNote = "GitHub's rate limit delayed this command. In a hurry, use the command line: `turnout rollback` and `turnout " +
	"promote` do not use GitHub's API."

// Reply is the body of a comment that answers another one. It names that comment, and says
// so if GitHub's rate limit delayed the answer.
func Reply(to *v1alpha1.DeliveredComment, text string, limited bool) string {
	if limited {
		text = strings.TrimSpace(text + "\n\n" + limitedNote)
	}
	return fmt.Sprintf("In response to %s by %s:\n\n%s", link("this", to.URL), plain(to.Author), prose.Characters(text, maxComment))
}
