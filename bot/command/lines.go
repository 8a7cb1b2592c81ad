package command

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// markdown parses GitHub's dialect, as far as it determines paragraphs and the plain text
// in them. It leaves out tables: the extension creates every cell that a row lacks, so 8 KB
// of bars use 388 MB. [markParagraphs] replaces it.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Strikethrough))

// plainLines returns the lines that start with a slash in a paragraph at the top level,
// as plain text that everybody sees.
func plainLines(body string) []string {
	// Go and the parser treat more characters as white space than Markdown does.
	source := []byte(strings.NewReplacer("\v", "\x01", "\f", "\x01").Replace(body))
	r := &lineReader{source: source, marks: markParagraphs(source)}
	doc := markdown.Parser().Parse(text.NewReader(source))
	for block := doc.FirstChild(); block != nil; block = block.NextSibling() {
		switch b := block.(type) {
		case *ast.HTMLBlock:
			r.html.read(blockSource(b, source))
		case *ast.Paragraph:
			r.paragraph(b)
		default:
			r.enclosed(block)
		}
	}
	return r.lines
}

// lineReader reads a comment once, from its beginning.
type lineReader struct {
	source []byte
	marks  map[int]mark // by where a line begins
	html   openHTML
	lines  []string
}

// paragraph takes the lines that start with a slash and begin as plain text. A line may
// also begin inside a code span, a link title or an HTML comment. The parser has other
// nodes for those than text directly below the paragraph.
func (r *lineReader) paragraph(p *ast.Paragraph) {
	for node := p.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *ast.RawHTML:
			r.rawHTML(n)
		case *ast.Text:
			r.text(n.Segment)
		default:
			r.enclosed(node)
		}
	}
}

func (r *lineReader) text(segment text.Segment) {
	if segment.IsEmpty() || r.source[segment.Start] != '/' || !r.html.closed() {
		return
	}
	start := 1 + bytes.LastIndexByte(r.source[:segment.Start], '\n')
	line, _, _ := bytes.Cut(r.source[start:], []byte("\n"))
	begins := len(bytes.Trim(r.source[start:segment.Start], " \t")) == 0
	if begins && !r.marks[start].hides {
		r.lines = append(r.lines, strings.Trim(strings.TrimSuffix(string(line), "\r"), blanks))
	}
}

// rawHTML follows HTML in a paragraph. If its lines may be something else, a tag may be
// shown as text.
func (r *lineReader) rawHTML(n *ast.RawHTML) {
	before := len(r.html.elements)
	r.html.read(n.Segments.Value(r.source))
	for i := range n.Segments.Len() {
		start := 1 + bytes.LastIndexByte(r.source[:n.Segments.At(i).Start], '\n')
		if r.marks[start].unsure && len(r.html.elements) != before {
			r.html.broken = true
		}
	}
}

// enclosed follows the HTML in a quote, a list, a heading, a link and the like. An element
// that stays open there may or may not extend beyond it.
func (r *lineReader) enclosed(parent ast.Node) {
	outer := r.html
	r.html = openHTML{}
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *ast.HTMLBlock:
			r.html.read(blockSource(n, r.source))
		case *ast.RawHTML:
			r.rawHTML(n)
		default:
			r.enclosed(node)
		}
	}
	outer.broken = outer.broken || !r.html.closed()
	r.html = outer
}

func blockSource(b *ast.HTMLBlock, source []byte) []byte {
	raw := b.Lines().Value(source)
	if b.HasClosure() {
		raw = append(raw, b.ClosureLine.Value(source)...)
	}
	return raw
}
