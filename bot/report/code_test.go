package report_test

import (
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/sourcetest"
)

// made returns the codes that a file creates, without those that it only compares with.
func made(file sourcetest.File) map[string]bool {
	found := map[string]bool{}
	ast.Inspect(file.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			return false
		case *ast.Ident:
			if strings.HasPrefix(n.Name, "Code") {
				found[n.Name] = true
			}
		}
		return true
	})
	return found
}

// TestEveryCodeIsSaidAndMade: every code has a text, every word in that text is known, and
// some decision makes the code. Codes for comments only are made only for comments.
func TestEveryCodeIsSaidAndMade(t *testing.T) {
	everywhere := sourcetest.Constants[command.Code](t, "../command/decision_code.go", 10)
	inComments := sourcetest.Constants[command.Code](t, "../command/comment_code.go", 10)
	decided, answered := map[string]bool{}, map[string]bool{}
	files := slices.Concat(sourcetest.Files(t, "../command/*.go"), sourcetest.Files(t, "*.go"), sourcetest.Files(t, "../*.go"))
	for _, file := range files {
		name := filepath.Base(file.Name)
		for code := range made(file) {
			switch {
			case slices.Contains([]string{"decision_code.go", "comment_code.go", "texts.go"}, name):
			case strings.HasPrefix(name, "decide"), name == "wayback.go":
				decided[code] = true
			default:
				answered[code] = true
			}
		}
	}
	surface := report.Markdown()
	for name, code := range everywhere {
		if !decided[name] {
			t.Errorf("no decision is %s", name)
		}
		said(t, surface, code)
	}
	for name, code := range inComments {
		if decided[name] || !answered[name] {
			t.Errorf("%s: a decision makes it: %v; an answer to a comment makes it: %v", name, decided[name], answered[name])
		}
		said(t, surface, code)
	}
	for code := range report.MarkdownTexts {
		if !slices.Contains(slices.Collect(maps.Values(everywhere)), code) && !slices.Contains(slices.Collect(maps.Values(inComments)), code) {
			t.Errorf("Markdown has a text for %s, which is not a code", code)
		}
	}
}

// silent are the decisions without an answer, since the release's own comment shows them.
var silent = []command.Code{command.CodeApproved, command.CodePromoted, command.CodeSubmitted, command.CodeRetried}

func said(t *testing.T, surface report.Surface, code command.Code) {
	t.Helper()
	text, ok := surface.Texts[code]
	if !ok || text.String() == "" && !slices.Contains(silent, code) {
		t.Errorf("%s has no words", code)
	}
	os.Expand(text.Says+text.Next, func(word string) string {
		if surface.Words[word] == nil && word != "because" {
			t.Errorf("%s uses ${%s}, which no text fills in", code, word)
		}
		return ""
	})
}
