package prose

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapeSequence matches what a terminal obeys instead of showing: the sequences of ECMA-48
// (CSI; OSC, DCS and the like, to their end).
var escapeSequence = regexp.MustCompile(`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|` +
	`[\x{9d}\x{90}\x{98}\x{9e}\x{9f}])[^\x07\x1b\x{9c}\n]*(?:\x07|\x1b\\|\x{9c})?|\x1b[ -/]*[0-~]`)

// Neutral removes what would be obeyed instead of shown: escape sequences, control and
// format characters, writing direction, and the mark that GitHub Actions' runner looks for
// within a line. Line breaks and tabs stay.
func Neutral(s string) string {
	if strings.ContainsAny(s, "\x1b\u009b\u009d\u0090\u0098\u009e\u009f") {
		s = escapeSequence.ReplaceAllString(s, "")
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case r == '\r', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		case r == '\u200d': // it joins emoji
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
			return -1
		}
		return r
	}, s)
	return strings.ReplaceAll(s, "##[", "# #[")
}

// OneLine is a neutral text on one line.
func OneLine(s string) string { return strings.Join(strings.Fields(Neutral(s)), " ") }

// Obeyed reports whether GitHub Actions' runner takes a line for a command (actions/runner,
// src/Runner.Common/ActionCommand.cs): one that begins with ::, after whatever the runner
// ignores.
func Obeyed(line string) bool {
	for line != "" && !strings.HasPrefix(line, "::") {
		r, n := utf8.DecodeRuneInString(line)
		if r > ' ' && r < utf8.RuneSelf && r != 0x7f || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return false
		}
		line = line[n:]
	}
	return line != ""
}
