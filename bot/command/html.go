package command

import (
	"bytes"
	"regexp"
	"strings"
)

// openHTML follows the HTML of a comment from its beginning. The content of an element may
// be hidden, so a command counts only where no element is open. Browsers repair wrong HTML
// by long rules with many exceptions; here, HTML that may be incomplete ends all commands.
type openHTML struct {
	elements []string // open elements, the innermost last
	broken   bool     // permanent: no command counts any more
}

// closed reports whether it is certain that no element is open.
func (o *openHTML) closed() bool { return !o.broken && len(o.elements) == 0 }

// read follows a piece of raw HTML: comments, and tags of elements that GitHub shows, with
// text between them. Everything else breaks it: an end tag without a start tag, an element
// closed like <details/>, which HTML does not have, a tag or a comment without an end, an
// instruction, a declaration, a tag's character in text.
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

// commentLength returns the length of the HTML comment at the beginning of a text. It
// returns 0 if there is none, or if Markdown and HTML may end it in different places.
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

// tag follows the tag at the beginning of a text and returns its length; 0 if it is not
// valid.
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

// voidElement has the elements without an end tag (HTML Living Standard, "Void
// elements") that GitHub shows.
var voidElement = wordSet("br hr img source wbr")

// shownElement has the elements with HTML in them that GitHub shows (the allow-list of
// github/markup and of its html-pipeline). Scripts, styles, text areas and the like are
// not among them: their content is not HTML.
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
