package command_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/sourcetest"
)

func TestParseCommand(t *testing.T) {
	tests := []struct {
		name, body string
		want       string // the command; "" for none, "usage" for a UsageError, "near" for a NearMiss
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
		{"longer word", "/promoted", "near"},
		{"path", "/promote/now", ""},
		{"capitals", "/PROMOTE", "near"},
		{"mistyped, and then typed", "/promtoe\n\n/promote", "/promote"},
		{"mistyped in a code block", "```\n/promtoe\n```", ""},
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
		{"after a tab", "/promote\t0123456", "/promote 0123456"},
		{"application", "/promote shop", "/promote shop"},
		{"application and commit", "/promote shop 0123456", "/promote shop 0123456"},
		{"commit and application", "/cancel 0123456 shop", "/cancel shop 0123456"},
		{"application of a namespace", "/retry staging/shop", "/retry staging/shop"},
		{"application to ask about", "/status shop", "/status shop"},
		{"cancel", "/cancel", "/cancel"},
		{"retry", "/retry", "/retry"},
		{"unlock", "/unlock shop", "/unlock shop"},
		{"help", "/help", "/help"},
		{"lock", "/lock", "/lock"},
		{"lock with a reason", "/lock  the `database` moves; $(id) --force ../..", "/lock the `database` moves; $(id) --force ../.."},
		{"lock with what cannot be printed", "/lock \x1b[31mred\x1b[0m\u202e", "/lock red"},
		{"all that remains of a canary", "/promote 100", "/promote 100"},
		{"a weight, a commit and an application", "/promote 25 0123456 shop", "/promote shop 0123456 25"},
		{"more than all users", "/promote 101", "/promote 101"}, // an application's name
		{"no users", "/promote shop 0", "usage"},
		{"a weight of another command", "/cancel shop 100", "usage"},
		{"two weights", "/promote 25 100 shop", "usage"},
		{"no commit among two", "/promote main shop", "usage"},
		{"three arguments", "/promote shop 0123456 0123456", "usage"},
		{"two arguments of status", "/status shop 0123456", "usage"},
		{"two arguments of unlock", "/unlock shop now", "usage"},
		{"path for an application", "/promote a/b/c", "usage"},
		{"shell", "/promote $(id)", "usage"},
		{"flag", "/promote --force", "usage"},
		{"climbing", "/promote ../../etc", "usage"},
		{"two commands", "/promote\n/rollback", "usage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parsed(tt.body)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSeveralCommandsAreAnsweredWithoutPreferringOne(t *testing.T) {
	_, err := command.Parse("/promote\n/rollback")
	if answer := answerTo(err); answer == "" || strings.Contains(answer, "/") {
		t.Errorf("got %q, want an answer that names neither of the two commands", answer)
	}
}

func TestALocksReasonIsCapped(t *testing.T) {
	command, err := command.Parse("/lock " + strings.Repeat("ä", 600))
	check(t, err)
	if n := utf8.RuneCountInString(command.Reason); n != 500 {
		t.Errorf("the reason has %d characters, want 500", n)
	}
}

// TestEveryVerbIsExplained reads the verbs from the source, so that none lacks its usage in
// answers and docs.
func TestEveryVerbIsExplained(t *testing.T) {
	verbs := slices.Sorted(maps.Values(sourcetest.Constants[command.Verb](t, "command.go", 9)))
	if len(verbs) != 9 {
		t.Fatalf("command.go has the verbs %q, want 9", verbs)
	}
	for _, verb := range verbs {
		if c, err := command.Parse("/" + string(verb)); err != nil || c == nil || c.Verb != verb {
			t.Errorf("/%s is parsed as %v, %v", verb, c, err)
		}
		problem := report.Say(command.Fact{
			Code: command.CodeBadArgument, Args: command.Args{Next: []command.Command{{Verb: verb}}},
		}).String()
		if !strings.Contains(problem, "Type `/"+string(verb)+" [application]") || !strings.Contains(problem, ": it ") ||
			strings.HasSuffix(problem, "it .") {
			t.Errorf("the usage of /%s reads %q", verb, problem)
		}
		_, usage, _ := strings.Cut(problem, "Type ")
		usage, _, _ = strings.Cut(usage, ",")
		for _, page := range []string{"../../docs/commands.md", "../../README.md"} {
			text, err := os.ReadFile(page)
			check(t, err)
			if !strings.Contains(string(text), "\n| "+usage+" | ") {
				t.Errorf("%s has no row %s", page, usage)
			}
		}
		s := bottest.Situation(bottest.Nothing)
		s.Command.Verb = verb
		if d := command.Decide(s); d.Code == command.CodeNoCommand {
			t.Errorf("/%s is not decided", verb)
		}
	}
}

// FuzzParseCommand checks what holds for any text: a command is a line of its own in the
// grammar of the allow-list; quoted, fenced or indented, the same text has none; a usage
// error repeats only plain text; and the scan finds whatever the parser finds.
func FuzzParseCommand(f *testing.F) {
	for _, seed := range []string{
		"/promote", "a\r\n/rollback 0123456\r\n", "```\n/promote", "> a\n/promote", "a `b\n/promote` c", "<div>\n\n/status\n", "/promote $(id)",
		"\t/promote",
		"/lock why `not`; $(x)", "/retry staging/shop 0123456", "/cancel 0123456 shop", "/promtoe", "/Help", "/unlock\tshop",
		"/lock \u2028/promote", "/status a b",
		"<details>\n\n/promote", "a|b\n-|-\n/promote", "$$\n/promote\n$$", "[^1]: a\n/promote", "/promote\u00a0shop", "<b></b>\n\n/promote",
		"a\f\n/promote",
		"1. a\n\n   /promote", "a\r/promote", "<!-- -->\n/status", "[x]: y\n/promote", "/promote\x00", "~~~~\n```\n/promote",
	} {
		f.Add(seed)
	}
	const name = `( [A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?)?`
	grammar := regexp.MustCompile(`^/((promote|rollback|cancel|retry)` + name + `( [0-9a-f]{7,64})?|(unlock|status|help)` + name +
		`|lock( [^\x00-\x1f\x7f]{1,500})?)$`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := command.Parse(body)
		if c != nil && (err != nil || !grammar.MatchString(c.String())) {
			t.Errorf("%q is the command %q, %v", body, c, err)
		}
		if err != nil && strings.ContainsAny(answerTo(err), "\n@<$") {
			t.Errorf("the answer to %q repeats special characters: %q", body, err)
		}
		if (c != nil || err != nil) && !command.MayHold(body) {
			t.Errorf("the scan of %q finds nothing, the parser %q, %v", body, c, err)
		}
		if c != nil && !strings.Contains(body, "/"+string(c.Verb)) {
			t.Errorf("%q does not contain the command %q", body, c)
		}
		if len(body) > 2<<10 { // hidden, it may be too long to be parsed
			return
		}
		lines := strings.Split(body, "\n")
		for _, hidden := range []string{
			"> " + strings.Join(lines, "\n> "),
			"    " + strings.Join(lines, "\n    "),
			strings.Repeat("`", len(body)+3) + "\n" + body,
		} {
			if c, err := command.Parse(hidden); c != nil || err != nil {
				t.Errorf("hidden text %q is the command %q, %v", hidden, c, err)
			}
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
