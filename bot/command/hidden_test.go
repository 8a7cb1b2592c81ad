package command_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// parsed shows the result of Parse: the command, or the kind of error; empty for nothing.
func parsed(body string) string {
	found, err := command.Parse(body)
	usage, near := (*command.UsageError)(nil), (*command.NearMiss)(nil)
	switch {
	case errors.As(err, &usage):
		return "usage"
	case errors.As(err, &near):
		return "near"
	case err != nil:
		return err.Error()
	case found == nil:
		return ""
	}
	return found.String()
}

// answerTo is the answer to an error.
func answerTo(err error) string {
	usage, near := (*command.UsageError)(nil), (*command.NearMiss)(nil)
	switch {
	case errors.As(err, &usage):
		return report.Say(usage.Fact).String()
	case errors.As(err, &near):
		return report.Say(near.Fact()).String()
	}
	return ""
}

// TestHiddenTextHoldsNoCommand has comments that show, or may show, something other than a
// line with a command.
func TestHiddenTextHoldsNoCommand(t *testing.T) {
	const hidden = "\n\n/promote"
	for name, body := range map[string]string{
		"comment":                    "<!-- \n/promote\n-->",
		"comment in one line":        "<!-- x -->/promote",
		"comment with an empty line": "<!--\n\n/promote\n\n-->",
		"comment without end":        "<!-- hidden" + hidden,
		"second comment":             "<!-- x\n--> <!-- y" + hidden + "\n\n-->",
		"comment that HTML ends":     "<!-- x --!>\n-->" + hidden,
		"fold":                       "<details>" + hidden + "\n\n</details>",
		"fold without end":           "<details><summary>x</summary>" + hidden,
		"fold like an empty element": "<details/>" + hidden + "\n\n</details>",
		"fold in a line":             "a <details>\n/promote",
		"fold in an earlier line":    "a <details> b" + hidden,
		"fold in emphasis":           "**<details>**" + hidden,
		"fold in a link":             "[<details>](x)" + hidden,
		"fold in a quote":            "> <details>" + hidden,
		"fold in a list":             "- a <details>" + hidden,
		"fold in a heading":          "# <details>" + hidden,
		"fold, in capitals":          "<DETAILS>" + hidden,
		"fold with an attribute":     "<details title='a>b'>" + hidden,
		"wrong end tags":             "<details>\n\n</x></y></details>" + hidden,
		"wrong order":                "<b><details></b></details>" + hidden,
		"early end":                  "<details></details></details>\n\n<details>" + hidden,
		"end tag without start":      "</details>" + hidden,
		"end tag of a void element":  "</br>" + hidden,
		"end tag with an attribute":  "<details></details x>" + hidden,
		"end tag in an image":        "<details>\n\n![</details>](x)" + hidden,
		"end tag in a table":         "<details>\n\na|b\n-|-\nx </details>|y" + hidden,
		"end tag in a table's head":  "<details>\n\nx </details>|b\n-|-" + hidden,
		"end tag in a footnote":      "<details>\n\n[^1]: x </details>" + hidden,
		"end tag in mathematics":     "<details>\n\nx $</details>$" + hidden,
		"tag without end":            "<div title=\"" + hidden + "\n\">",
		"attribute without end":      "<div title='a" + hidden + "'>",
		"unknown element":            "<x-fold></x-fold>" + hidden,
		"hidden paragraph":           "<p hidden>" + hidden + "\n\n</p>",
		"svg":                        "<svg><desc></svg>" + hidden,
		"script":                     "<script>\n/promote\n</script>",
		"script that is closed":      "<script></script>" + hidden,
		"style":                      "<style></style>" + hidden,
		"text area":                  "<textarea>" + hidden + "\n\n</textarea>",
		"text area in a line":        "a <textarea>" + hidden,
		"pre":                        "<pre>\n/promote\n</pre>",
		"CDATA":                      "<![CDATA[\n/promote\n]]>",
		"after CDATA":                "<![CDATA[ <b> ]]>" + hidden,
		"instruction":                "<?x\n/promote\n?>",
		"after an instruction":       "<?x ?>" + hidden,
		"declaration":                "<!X\n/promote>",
		"after a declaration":        "<!X>" + hidden,
		"title over lines":           "<a title=\"\n/promote\n\">x</a>",
		"fence":                      "```\n/promote\n```",
		"fence without end":          "```\n/promote",
		"tildes":                     "~~~\n/promote\n~~~",
		"code":                       "    /promote",
		"code by a tab":              "\t/promote",
		"code span over lines":       "`a\n/promote\nb`",
		"quote":                      "> /promote",
		"lazy quote":                 "> text\n/promote",
		"lazy quote, form feed":      "> text\n\f\n/promote",
		"lazy quote, vertical tab":   "> text\n\v\n/promote",
		"alert":                      "> [!NOTE]\n> /promote",
		"list":                       "- /promote",
		"lazy list":                  "- text\n/promote",
		"task":                       "- [ ] x\n/promote",
		"heading":                    "# /promote",
		"heading by a line":          "/promote\n===",
		"heading by dashes":          "/promote\n---",
		"front matter":               "---\n/promote\n---",
		"table":                      "| a |\n|---|\n/promote",
		"table without outer bars":   "a | b\n:-- | --:\n/promote x",
		"table of one column":        "a\n:-:\n/promote",
		"head of a table":            "/promote\n|---|",
		"last row of a table":        "| a |\n|---|\n| b |\n| c |\n/promote",
		"table after text":           "text\n| a |\n|---|\n/promote",
		"table after a definition":   "[a]: b\n|---|\n/promote",
		"definition":                 "[x]: /promote\n",
		"definition in two lines":    "[x]:\n/promote",
		"definition with a title":    "[x]: y\n'\n/promote\n'",
		"footnote":                   "text[^1]\n\n[^1]: \n    /promote",
		"footnote in two lines":      "text[^1]\n\n[^1]: note\n/promote",
		"footnote of a sentence":     "text[^1]\n\n[^1]: a note of several words\n/promote",
		"footnote that goes on":      "[^1]: note\n\n    more\n/promote",
		"link text":                  "[/promote](x)",
		"link title":                 "[a](b '\n/promote\n')",
		"image":                      "![\n/promote\n](x)",
		"bold":                       "**/promote**",
		"emphasis over lines":        "**a\n/promote\nb**",
		"struck out":                 "~~a\n/promote\nb~~",
		"mathematics":                "$$\n/promote\n$$",
		"mathematics in a line":      "x $a\n/promote\nb$ y",
		"backslash":                  "\\/promote",
		"entity":                     "&#47;promote",
		"zero width before":          "\u200b/promote",
		"zero width within":          "/pro\u200bmote",
		"zero width after":           "/promote\u200b",
		"soft hyphen":                "/promote\u00ad",
		"word joiner":                "/promote\u2060",
		"direction before":           "\u202e/promote",
		"direction after":            "/promote\u202e",
		"isolate":                    "\u2066/promote\u2069",
		"byte order mark":            "\ufeff/promote",
		"NUL before":                 "\x00/promote",
		"NUL after":                  "/promote\x00",
		"form feed after":            "/promote\f",
		"form feed before":           "text\n\f/promote",
		"vertical tab":               "text\v/promote",
		"vertical tab before":        "text\n\v/promote",
		"vertical tab between":       "/promote\vshop",
		"next line":                  "text\u0085/promote",
		"next line between":          "/promote\u0085shop",
		"line separator":             "text\u2028/promote",
		"line separator between":     "/promote\u2028shop",
		"paragraph separator":        "/promote\u2029",
		"em space":                   "/promote\u2003shop",
		"carriage return":            "text\r/promote",
		"fence by a carriage return": "text\r```\n/promote",
		"Cyrillic":                   "/pr\u043emote",
		"full width":                 "\uff0fpromote",
		"colon":                      "/promote:",
	} {
		if got := parsed(body); got != "" {
			t.Errorf("%s: %q is %q, want nothing", name, body, got)
		}
	}
}

// TestWhatEverybodySeesIsACommand is the other side: visible text before a command does not
// disable it.
func TestWhatEverybodySeesIsACommand(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"plain":                    {"/promote", "/promote"},
		"CRLF":                     {"text\r\n/promote\r\n", "/promote"},
		"indented 3":               {"   /promote", "/promote"},
		"hard break":               {"text  \n/promote", "/promote"},
		"hard break, backslash":    {"text\\\n/promote", "/promote"},
		"form feed":                {"text\f\n/promote", "/promote"},
		"no-break space":           {"/promote\u00a0now", "/promote now"},
		"after a footnote":         {"text[^1]\n\n[^1]: note\n\n/promote", "/promote"},
		"after a fold":             {"<details><summary>log</summary>\n\n`x`\n\n</details>\n\n/promote", "/promote"},
		"after a quoted fold":      {"> <details>\n> <summary>log</summary>\n>\n> a <br> b\n>\n> </details>\n\n/promote", "/promote"},
		"after a comment":          {"<!-- template -->\n\n/promote", "/promote"},
		"after a comment in text":  {"Thanks <!-- \n -->\n/promote", "/promote"},
		"after void elements":      {"a<br>b<br/>\n<img src=\"x\" alt='<b>'>\n\n/promote", "/promote"},
		"after a table":            {"| a |\n|---|\n| b<br>c |\n\n/promote", "/promote"},
		"after code with tags":     {"`<details>` and\n\n```html\n<details>\n```\n\n/promote", "/promote"},
		"before a table":           {"/promote\na|b\n-|-", "/promote"},
		"before HTML":              {"/promote\n\n<details>", "/promote"},
		"after a price":            {"That costs $5.\n/promote", "/promote"},
		"after two prices":         {"From $5 to $6.\n/promote", "/promote"},
		"after an open formula":    {"$$\n/promote", "/promote"},
		"reason with money":        {"/lock it costs $5 or $6", "/lock it costs $5 or $6"},
		"twice":                    {"/promote\n/promote", "usage"},
		"capitals":                 {"/PROMOTE", "near"},
		"invisible in an argument": {"/promote shop\u200b", "usage"},
		"of 8 KB":                  {"/promote\n\n" + strings.Repeat("a", 8<<10-10), "/promote"},
	} {
		if got := parsed(tt.body); got != tt.want {
			t.Errorf("%s: %q is %q, want %q", name, tt.body, got, tt.want)
		}
		if !command.MayHold(tt.body) {
			t.Errorf("%s: the scan of %q finds no command", name, tt.body)
		}
	}
}

func TestScanFindsTheLinesThatBeginAsCommands(t *testing.T) {
	for body, want := range map[string]bool{
		"": false, "/": false, "text": false, "text /promote": false, "/lgtm": false, "/promote/now": false, "/promote:": false,
		"/usr/bin": false, "\r": false,
		"/promote": true, "text\n/rollback x": true, "a\r\n\r\n  /status\r\n": true, "\t/help": true, "/promtoe": true, "/Rollback now": true,
		"/lock\u00a0shop": true,
		"> /promote":      false, "- /promote": false, "```\n/promote\n```": true,
	} {
		if got := command.MayHold(body); got != want {
			t.Errorf("the scan of %q finds a command: %v, want %v", body, got, want)
		}
	}
}

func TestALongCommentIsAnsweredAndNotParsed(t *testing.T) {
	long := strings.Repeat("log\n", 4<<10)
	_, err := command.Parse(long + "/rollback")
	if answer := answerTo(err); !strings.Contains(answer, "8 KB") || !strings.Contains(answer, "a comment of its own") {
		t.Errorf("a command in a comment of 16 KB is answered %q, want the limit and a way out", answer)
	}
	for _, silent := range []string{long, long + "/rolback", long + "/lgtm"} {
		if got := parsed(silent); got != "" {
			t.Errorf("a comment of 16 KB that ends in %q gives %q, want nothing", silent[len(silent)-9:], got)
		}
	}
}

// costly has texts for which Markdown parsers need more than linear time.
func costly(n int) map[string]string {
	columns := n / 10
	table := "|" + strings.Repeat("a|", columns) + "\n|" + strings.Repeat("-|", columns) + "\n"
	texts := map[string]string{
		"table": table + strings.Repeat("|\n", n/4), "rows": "|a|\n|-|\n" + strings.Repeat("|a\n", n/4),
		"open and close": strings.Repeat("[", n/2) + strings.Repeat("]", n/2), "parentheses": "[a](" + strings.Repeat("(", n),
		"ticks": rising(n, "`"), "stars": rising(n, "*"), "tildes": rising(n, "~"), "nested lists": stairs(n),
	}
	for name, part := range map[string]string{
		"brackets": "[", "images": "![", "links": "[a](", "quotes": "> ", "lists": "- ", "numbers": "1. ", "emphasis": "*a **a ",
		"underlines": "_a __a ",
		"struck":     "~a ~~a ", "less": "<", "tags": "<a ", "elements": "<b>", "pairs": "<b></b>", "comments": "<!--", "instructions": "<?",
		"declarations": "<!A", "CDATA": "<![CDATA[",
		"mail": "a@a.", "addresses": "http://a.", "www": "www.a", "references": "[a]: b\n", "titles": "[a]: b '\n", "slashes": "/\n",
		"commands": "/status\n", "near": "/statuz\n",
		"entities": "&#x;", "footnotes": "[^a]: x\n\n", "blocks": "<div>\n\n", "code": "`a``b", "escapes": "\\[", "rules": "a\n-|-\n",
		"money": "$\n", "empty": "\n",
		"headings": "a\n=\n", "deep quotes": ">>>>>>>>\n", "tabs": "\t", "attributes": "<a b='", "ends": "</b>",
	} {
		texts[name] = strings.Repeat(part, n/len(part))
	}
	for name, body := range texts {
		texts[name] = body[:min(n, len(body))]
	}
	return texts
}

// rising has runs of a character, each longer than the one before.
func rising(n int, char string) string {
	var b strings.Builder
	for i := 1; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(char, i) + " ")
	}
	return b.String()
}

// stairs is a list in a list, and so on.
func stairs(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(" ", i*2%160) + "- a\n")
	}
	return b.String()
}

// allocated returns how much memory a function allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestNoCommentIsCostlyToRead uses the longest comments that GitHub accepts. 16 KB of a
// table once cost 1.5 GB.
func TestNoCommentIsCostlyToRead(t *testing.T) {
	const most = 12 << 20 // altogether, not at once
	for _, length := range []int{8<<10 - 20, 16 << 10, 65536 - 20} {
		for name, text := range costly(length) {
			for end, body := range map[string]string{
				"alone": text, "with a command": text + "\n\n/promote x",
				"with a command first": "/promote x\n\n" + text,
			} {
				if got := allocated(func() { _, _ = command.Parse(body) }); got > most {
					t.Errorf("%d characters of %s, %s: %d KB allocated, want at most %d", length, name, end, got>>10, most>>10)
				}
			}
			if got := testing.AllocsPerRun(1, func() { command.MayHold(text) }); got != 0 {
				t.Errorf("%d characters of %s: the scan allocates %.0f times, want none", length, name, got)
			}
		}
	}
}

func BenchmarkParseCommand(b *testing.B) {
	for name, text := range costly(8<<10 - 20) {
		b.Run(fmt.Sprintf("%q", name), func(b *testing.B) {
			for b.Loop() {
				_, _ = command.Parse(text + "\n\n/promote x")
			}
		})
	}
}
