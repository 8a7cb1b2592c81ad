package bot_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot"
)

func TestParseCommand(t *testing.T) {
	tests := []struct {
		name, body string
		want       string // the command; "" for none, "usage" for a UsageError
	}{
		{"alone", "/promote", "/promote"},
		{"with a commit", "/rollback 0123456", "/rollback 0123456"},
		{"CRLF", "Fine.\r\n\r\n/promote\r\n", "/promote"},
		{"second line of a paragraph", "Fine.\n/promote", "/promote"},
		{"indented a little", "   /status  ", "/status"},
		{"between paragraphs", "a\n\n/status\n\nb", "/status"},
		{"empty", "", ""},
		{"in the middle of a line", "please /promote", ""},
		{"another's", "/lgtm", ""},
		{"longer word", "/promoted", ""},
		{"path", "/promote/now", ""},
		{"capitals", "/PROMOTE", ""},
		{"code block", "```\n/promote\n```", ""},
		{"code block without end", "```\n/promote", ""},
		{"tilde code block", "~~~\n/promote\n~~~", ""},
		{"indented code", "    /promote", ""},
		{"code span over lines", "a `b\n/promote\nc` d", ""},
		{"quote", "> /promote", ""},
		{"lazy quote", "> a\n/promote", ""},
		{"list", "- /promote", ""},
		{"lazy list", "- a\n/promote", ""},
		{"heading", "# /promote", ""},
		{"setext heading", "/promote\n===", ""},
		{"table", "| a |\n|---|\n| /promote |", ""},
		{"emphasis over lines", "**a\n/promote\nb**", ""},
		{"link title", "[a](b \"\n/promote\n\")", ""},
		{"HTML block", "<div>\n/promote\n</div>", ""},
		{"HTML comment", "<!--\n\n/promote\n\n-->", ""},
		{"paragraph in a fold", "<details><summary>a</summary>\n\n/promote\n\n</details>", ""},
		{"after a fold", "<details>\n\na\n\n</details>\n\n/promote", "/promote"},
		{"inline HTML", "a <b>\n/promote\n</b>", ""},
		{"link reference", "[a]: b\n\"/promote\"", ""},
		{"not a commit", "/promote main", "usage"},
		{"short commit", "/promote 012345", "usage"},
		{"two arguments", "/promote 0123456 0123456", "usage"},
		{"argument of status", "/status 0123456", "usage"},
		{"shell", "/promote $(id)", "usage"},
		{"flag", "/promote --force", "usage"},
		{"climbing", "/promote ../../etc", "usage"},
		{"two commands", "/promote\n/rollback", "usage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			command, err := bot.ParseCommand(tt.body)
			got := ""
			if usage := (*bot.UsageError)(nil); errors.As(err, &usage) {
				got = "usage"
			} else if command != nil {
				got = command.String()
			}
			if got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// FuzzParseCommand holds what must be true of any text: a command stands on a
// line of its own in the allow-list's grammar; quoted, fenced or indented, the
// same text has none; and a usage error repeats nothing that is not plain.
func FuzzParseCommand(f *testing.F) {
	for _, seed := range []string{
		"/promote", "a\r\n/rollback 0123456\r\n", "```\n/promote", "> a\n/promote", "a `b\n/promote` c", "<div>\n\n/status\n", "/promote $(id)", "\t/promote",
		"1. a\n\n   /promote", "a\r/promote", "<!-- -->\n/status", "[x]: y\n/promote", "/promote\x00", "~~~~\n```\n/promote",
	} {
		f.Add(seed)
	}
	command := regexp.MustCompile(`^/(promote|rollback|status)( [0-9a-f]{7,64})?$`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := bot.ParseCommand(body)
		if c != nil && (err != nil || !command.MatchString(c.String())) {
			t.Errorf("%q is the command %q, %v", body, c, err)
		}
		if c != nil && !strings.Contains(body, "/"+string(c.Verb)) {
			t.Errorf("%q does not contain the command %q", body, c)
		}
		lines := strings.Split(body, "\n")
		for _, hidden := range []string{
			"> " + strings.Join(lines, "\n> "),
			"    " + strings.Join(lines, "\n    "),
			strings.Repeat("`", len(body)+3) + "\n" + body,
		} {
			if c, err := bot.ParseCommand(hidden); c != nil || err != nil {
				t.Errorf("hidden text %q is the command %q, %v", hidden, c, err)
			}
		}
	})
}
