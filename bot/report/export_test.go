package report

// Markdown has the words of comments.
func Markdown() Surface { return inComments() }

// MarkdownTexts has those for what is decided or answered.
var MarkdownTexts = markdownTexts
