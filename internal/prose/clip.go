package prose

import (
	"strings"
	"unicode/utf8"
)

// ellipsis stands for what was clipped.
const ellipsis = "…"

// foreign bounds what of one text is looked at, in bytes. No limit of ours is near
// it, and looking takes a time that grows with the text.
const foreign = 32 << 10

// Line makes a text fit for one line of at most limit bytes, as JSON stores it.
// Of a longer one the beginning is kept.
func Line(s string, limit int) string {
	s = Neutral(head(s))
	if strings.Contains(s, "\n") {
		s = Mask(s) // some shapes are told by their lines
	}
	return clip(Mask(OneLine(s)), limit, func(s string) string { return strings.TrimRight(s, " ") + ellipsis })
}

// Block does what [Line] does, and keeps lines.
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

// clipped cuts a text where the cut makes nothing that would be masked again: not
// in the middle of a mask.
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

// Size is the number of bytes that a valid text takes within a JSON string, as
// encoding/json writes it.
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

// prefix is the beginning of a text that has a size at most.
func prefix(s string, most int) string {
	for i, r := range s {
		if most -= size(r); most < 0 {
			return s[:i]
		}
	}
	return s
}

// suffix is the end of a text that has a size at most.
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

// head bounds a text to its beginning, at the end of a word: what is left of one
// that was cut may be the half of a secret.
func head(s string) string {
	if len(s) <= foreign {
		return s
	}
	s = s[:foreign]
	return s[:max(0, strings.LastIndexAny(s, " \t\n"))] + ellipsis
}

// tail bounds a text to its end, at the beginning of a line.
func tail(s string) string {
	if len(s) <= foreign {
		return s
	}
	return ellipsis + AfterCut(s[len(s)-foreign:])
}

// AfterCut is what can be shown of a text whose beginning was cut away somewhere:
// what follows its first line, or at least its first word, since the half of a
// secret has no shape.
func AfterCut(s string) string {
	for _, ends := range []string{"\n", " \t"} {
		if i := strings.IndexAny(s, ends); i >= 0 {
			return s[i+1:]
		}
	}
	return ""
}

// LastLines is the end of a log: at most so many lines, in a size at most. Secrets
// are masked before lines are left out, since a key has many.
func LastLines(s string, most, limit int) string {
	s = strings.TrimRight(Mask(Neutral(tail(s))), "\n")
	lines := strings.Split(s, "\n")
	return Tail(strings.Join(lines[max(0, len(lines)-most):], "\n"), limit)
}
