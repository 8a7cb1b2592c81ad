package prose

import (
	"strings"
	"unicode/utf8"
)

// ellipsis stands for the clipped part.
const ellipsis = "…"

// foreign bounds how much of a text is examined, in bytes. Our limits are far below it, and
// examining takes time in proportion to the text.
const foreign = 32 << 10

// Line makes a text fit for one line of at most limit bytes, as JSON stores it. It keeps
// the beginning of a longer text.
func Line(s string, limit int) string {
	s = Neutral(head(s))
	if strings.Contains(s, "\n") {
		s = Mask(s) // some shapes have several lines
	}
	return clip(Mask(OneLine(s)), limit, func(s string) string { return strings.TrimRight(s, " ") + ellipsis })
}

// Block does what [Line] does, and keeps line breaks.
func Block(s string, limit int) string {
	return clip(Mask(Neutral(head(s))), limit, func(s string) string { return s + ellipsis })
}

// Tail does what [Block] does, and keeps the end of a longer text.
func Tail(s string, limit int) string {
	s = Mask(Neutral(tail(s)))
	if Size(s) <= limit {
		return s
	}
	return clipped(s, limit, func(s string, room int) string { return ellipsis + suffix(s, room) })
}

func clip(s string, limit int, close func(string) string) string {
	if Size(s) <= limit {
		return s
	}
	return clipped(s, limit, func(s string, room int) string { return close(prefix(s, room)) })
}

// clipped cuts a text so that nothing in it would be masked again: not in the middle of a
// mask.
func clipped(s string, limit int, cut func(s string, room int) string) string {
	room := limit - len(ellipsis)
	for back := 4; room > 0; back *= 2 {
		if t := cut(s, room); Mask(t) == t && Neutral(t) == t {
			return t
		}
		room -= back
	}
	return ellipsis[:min(len(ellipsis), max(0, limit)/len(ellipsis)*len(ellipsis))]
}

// Size is the number of bytes of a valid text in a JSON string, as encoding/json writes it.
func Size(s string) int {
	n := 0
	for _, r := range s {
		n += size(r)
	}
	return n
}

func size(r rune) int {
	switch {
	case r == '"', r == '\\', r == '\n', r == '\r', r == '\t', r == '\b', r == '\f':
		return 2
	case r < ' ', r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029', r == utf8.RuneError:
		return 6
	}
	return utf8.RuneLen(r)
}

// prefix is the longest beginning of a text within a size.
func prefix(s string, most int) string {
	for i, r := range s {
		if most -= size(r); most < 0 {
			return s[:i]
		}
	}
	return s
}

// suffix is the longest end of a text within a size.
func suffix(s string, most int) string {
	for i := len(s); i > 0; {
		r, n := utf8.DecodeLastRuneInString(s[:i])
		if most -= size(r); most < 0 {
			return s[i:]
		}
		i -= n
	}
	return s
}

// head bounds a text to its beginning and ends it after a whole word: half a word may be
// half a secret.
func head(s string) string {
	if len(s) <= foreign {
		return s
	}
	s = s[:foreign]
	return s[:max(0, strings.LastIndexAny(s, " \t\n"))] + ellipsis
}

// tail bounds a text to its end and begins it with a whole line.
func tail(s string) string {
	if len(s) <= foreign {
		return s
	}
	return ellipsis + AfterCut(s[len(s)-foreign:])
}

// AfterCut returns the presentable part of a text that lost its beginning: what follows its
// first line, or at least its first word, since half a secret has no shape.
func AfterCut(s string) string {
	for _, ends := range []string{"\n", " \t"} {
		if i := strings.IndexAny(s, ends); i >= 0 {
			return s[i+1:]
		}
	}
	return ""
}

// LastLines is the end of a log: at most so many lines, within a size. It masks secrets
// before it leaves out lines, since a key has many lines.
func LastLines(s string, most, limit int) string {
	s = strings.TrimRight(Mask(Neutral(tail(s))), "\n")
	lines := strings.Split(s, "\n")
	return Tail(strings.Join(lines[max(0, len(lines)-most):], "\n"), limit)
}
