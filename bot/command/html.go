package command

import (
	"bytes"
	"regexp"
	"strings"
)

// openHTML follows the HTML of a comment, from its beginning. What stands in an
// element may be hidden, so a command counts only where none is open. Browsers
// repair wrong HTML by rules that are long and full of exceptions; here any HTML
// that is not plainly complete ends all commands.
type openHTML struct {
	elements []string // that are open, the innermost last
	broken   bool     // for good
}

// closed reports whether nothing is open, for sure.
func (o *openHTML) closed() bool { return !o.broken && len(o.elements) == 0 }

// read follows a piece of raw HTML: comments, and tags of elements that GitHub
// shows, with text between them. Everything else breaks it: an end tag without
// its start tag, an element that is closed like <details/>, which HTML does not
// know, a tag or a comment without end, an instruction, a declaration, a
// character of a tag among text.
func (o *openHTML) read(raw []byte) {
	for !o.broken {
		start := bytes.IndexByte(raw, '<')
		if start < 0 {
			return
		}
		raw = raw[start:]
		length := commentLength(raw)
		if length == 0 {
			length = o.tag(raw)
		}
		o.broken = length == 0
		raw = raw[length:]
	}
}

// commentLength returns the length of the HTML comment that a text begins with, 0
// if that is none, or one that Markdown and HTML may end at different places.
func commentLength(raw []byte) int {
	inner, ok := bytes.CutPrefix(raw, []byte("<!--"))
	if !ok || bytes.HasPrefix(inner, []byte(">")) || bytes.HasPrefix(inner, []byte("->")) {
		return 0
	}
	end := bytes.Index(inner, []byte("-->"))
	if end < 0 || bytes.Contains(inner[:end], []byte("--!>")) {
		return 0
	}
	return len("<!--") + end + len("-->")
}

// tagPattern is a tag (CommonMark, "Raw HTML"): the slash of an end tag, the
// name, the attributes, and the slash of one without content.
var tagPattern = regexp.MustCompile(`^<(/?)([A-Za-z][A-Za-z0-9-]*)((?:\s+[A-Za-z_:][\w.:-]*(?:\s*=\s*(?:[^\s"'=<>` + "`" +
	`]+|'[^']*'|"[^"]*"))?)*)\s*(/?)>`)

// tag follows the tag that a text begins with, and returns its length; 0 if it
// does not fit.
func (o *openHTML) tag(raw []byte) int {
	m := tagPattern.FindSubmatch(raw)
	if m == nil {
		return 0
	}
	end, name, attributes, slash := len(m[1]) > 0, strings.ToLower(string(m[2])), len(m[3]) > 0, len(m[4]) > 0
	switch last := len(o.elements) - 1; {
	case end && (attributes || slash || last < 0 || o.elements[last] != name):
		return 0
	case end:
		o.elements = o.elements[:last]
	case voidElement[name]:
	case slash || !shownElement[name]:
		return 0
	default:
		o.elements = append(o.elements, name)
	}
	return len(m[0])
}

// voidElement has no end tag (HTML Living Standard, "Void elements"); those that
// GitHub shows.
var voidElement = wordSet("br hr img source wbr")

// shownElement has content, as HTML, and is shown by GitHub (the allow-list of
// github/markup and of its html-pipeline). Scripts, styles, text areas and the
// like are not among them: what stands in one is no HTML.
var shownElement = wordSet(`
	a abbr b bdo blockquote caption cite code dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6
	i ins kbd li mark ol p picture pre q rp rt ruby s samp small span strike strong sub summary sup
	table tbody td tfoot th thead time tr tt ul var`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}
