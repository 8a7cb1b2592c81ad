package report

// Markdown has the texts of comments.
func Markdown() Surface { return inComments() }

// MarkdownTexts has the texts of decisions and answers.
var MarkdownTexts = markdownTexts
