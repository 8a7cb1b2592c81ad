// Package markdown makes HTML of comments, for the pages of the sandbox's GitHub.
//
// It renders GitHub's Markdown (tables, task lists, strikethrough, links) with the HTML that comments
// may contain, such as <details>, and then removes whatever could run or load something.
package markdown

import (
	"bytes"
	"html/template"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
)

//nolint:gochecknoglobals // both are set up once, and safe for concurrent use
var (
	markdown = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe(), html.WithHardWraps()))
	policy   = newPolicy()
)

// newPolicy is what people may write. Images are left out: they would load something.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowStandardURLs()
	p.AllowAttrs("href").OnElements("a")
	p.RequireNoFollowOnLinks(true)
	p.AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "del", "sub", "sup",
		"ul", "ol", "li", "details", "summary")
	p.AllowTables()
	return p
}

// HTML renders a text. The result is safe to show on a page.
func HTML(text string) template.HTML {
	var out bytes.Buffer
	if err := markdown.Convert([]byte(text), &out); err != nil {
		return template.HTML(template.HTMLEscapeString(text)) //nolint:gosec // G203: escaped
	}
	return template.HTML(policy.SanitizeBytes(out.Bytes())) //nolint:gosec // G203: sanitised
}
