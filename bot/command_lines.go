package bot

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"
)

// markdown is GitHub's dialect, as far as it decides what is a paragraph.
var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM))

// plainLines returns the lines that start with a slash and stand, as plain text,
// in a paragraph at the top level.
func plainLines(source []byte) []string {
	var lines []string
	depth := 0 // of HTML elements that are open
	doc := markdown.Parser().Parse(text.NewReader(source))
	for block := doc.FirstChild(); block != nil; block = block.NextSibling() {
		switch b := block.(type) {
		case *ast.HTMLBlock:
			depth = htmlDepth(depth, blockSource(b, source))
		case *ast.Paragraph:
			var found []string
			found, depth = paragraphLines(b, source, depth)
			lines = append(lines, found...)
		}
	}
	return lines
}

// paragraphLines returns the paragraph's lines that start with a slash and begin
// as plain text, and the depth of HTML elements after it. A line may begin in a
// code span, a link's title or a comment that another line opened; those are
// other nodes than text directly below the paragraph.
func paragraphLines(p *ast.Paragraph, source []byte, depth int) ([]string, int) {
	var lines []string
	starts := map[int]text.Segment{}
	for i := range p.Lines().Len() {
		line := p.Lines().At(i)
		line = line.TrimLeftSpace(source)
		starts[line.Start] = line
	}
	for node := p.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				segment := n.Segments.At(i)
				depth = htmlDepth(depth, segment.Value(source))
			}
		case *ast.Text:
			line, isStart := starts[n.Segment.Start]
			if value := string(line.Value(source)); isStart && depth == 0 && strings.HasPrefix(value, "/") {
				lines = append(lines, strings.TrimSpace(value))
			}
		}
	}
	return lines, depth
}

func blockSource(b *ast.HTMLBlock, source []byte) []byte {
	var raw []byte
	for i := range b.Lines().Len() {
		line := b.Lines().At(i)
		raw = append(raw, line.Value(source)...)
	}
	if b.HasClosure() {
		raw = append(raw, b.ClosureLine.Value(source)...)
	}
	return raw
}

// htmlDepth counts the elements that a piece of HTML leaves open.
func htmlDepth(depth int, raw []byte) int {
	tokens := html.NewTokenizer(strings.NewReader(string(raw)))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return depth
		case html.StartTagToken:
			if name, _ := tokens.TagName(); !voidElement[string(name)] {
				depth++
			}
		case html.EndTagToken:
			depth = max(0, depth-1)
		default: // opens and closes nothing
		}
	}
}

// voidElement has no end tag (HTML Living Standard, "Void elements").
var voidElement = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true,
	"input": true, "link": true, "meta": true, "source": true, "track": true, "wbr": true,
}
