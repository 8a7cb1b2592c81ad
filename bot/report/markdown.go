package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Texts from outside (log lines, pods' answers, Kubernetes' messages, names) may contain
// anything. Each goes through plain, code or fence on its way into a comment, so that it
// can neither break out of its place nor mention anybody.

// zeroWidth keeps GitHub from linking a name or a number. GitHub finds mentions and
// references after it has decoded entities, so an entity alone does not prevent that.
const zeroWidth = "&#8203;"

// plainEscapes replaces every character that has a meaning in Markdown or HTML.
var plainEscapes = strings.NewReplacer(
	"@", "@"+zeroWidth, "#", "&#35;"+zeroWidth, "GH-", "GH"+zeroWidth+"-", "://", "&#58;//", "www.", "www&#46;",
	"&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, "&#92;", "`", "&#96;", "*", "&#42;", "_", "&#95;",
	"[", "&#91;", "]", "&#93;", "|", "&#124;", "~", "&#126;", "$", "&#36;",
)

// plain shows a text as running text, on one line.
func plain(s string) string {
	return plainEscapes.Replace(oneLine(s))
}

// code shows a text as a code span, on one line. A bar would end a table cell even in a
// code span, so it becomes a broken bar.
func code(s string) string {
	s = strings.ReplaceAll(oneLine(s), "|", "¦")
	if s == "" {
		return ""
	}
	mark := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return mark + s + mark
}

// fence shows a text as a code block. Its fence is longer than any run of backticks in the
// text.
func fence(language, s string) string {
	s = printable(s, true)
	mark := strings.Repeat("`", max(3, longestRun(s)+1))
	return mark + language + "\n" + strings.Trim(s, "\n") + "\n" + mark
}

// longestRun returns the length of the longest run of backticks.
func longestRun(s string) int {
	longest, run := 0, 0
	for _, c := range s {
		if c != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// oneLine joins the lines of a text and removes what cannot be printed.
func oneLine(s string) string {
	return strings.Join(strings.Fields(printable(s, false)), " ")
}

// printable removes control characters, broken UTF-8, and the marks that change the
// direction of writing: those can make one text look like another.
func printable(s string, lines bool) string {
	s = escapeSequence.ReplaceAllString(strings.ReplaceAll(s, "\r\n", "\n"), "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && lines, r == '\t':
			return r
		case r == '\n', r == '\r', r == '\u2028', r == '\u2029':
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// escapeSequence sets colours and the like on a terminal (ECMA-48, CSI).
var escapeSequence = regexp.MustCompile("\x1b\\[[0-9:;<=>?]*[ -/]*[@-~]")

// tail keeps whole lines from the end of a text, at most so many bytes.
func tail(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[len(s)-most:]
	if _, rest, found := strings.Cut(s, "\n"); found {
		s = rest
	}
	return "…\n" + strings.ToValidUTF8(s, "")
}

// link makes a link. If the address is not one, or would break out of the link, it returns
// only the text.
func link(text, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsAny(url, " \t\r\n()<>\"'`\\|[]") {
		return text
	}
	return fmt.Sprintf("[%s](%s)", text, url)
}

// sentence removes the full stop at the end of a text, so that the sentence can go on.
func sentence(text string) string {
	return strings.TrimRight(text, ". ")
}

// lockText says who locked the application, when and why. The function text formats each
// part.
func lockText(lock *v1alpha1.Lock, text func(string) string) string {
	return prose.Locked(text(lock.By), date(lock.At.Time), text(prose.Characters(lock.Reason, maxMessage)))
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// Limits of texts from outside.
const (
	maxMessage = 300  // characters of a message
	maxAdvice  = 1000 // characters of a message that says what to do
)

// maxComment is the longest comment in characters, a little below GitHub's limit (65,536).
const maxComment = 60000

// paragraphs joins the parts that are not empty.
func paragraphs(parts ...string) string {
	kept := parts[:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "\n\n")
}

// fold hides parts behind a title. It does not escape the title.
func fold(title string, parts ...string) string {
	return "<details><summary>" + title + "</summary>\n\n" + paragraphs(append(parts, "</details>")...)
}
