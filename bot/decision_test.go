package bot_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot"
)

// parsed reads the source of the files that a pattern names, but for tests.
func sources(t *testing.T, pattern string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	check(t, err)
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, 0)
		check(t, err)
	}
	if len(files) == 0 {
		t.Fatalf("no file is named %s", pattern)
	}
	return files
}

// codesOf reads the codes that a file declares: their names in Go, with their values.
func codesOf(t *testing.T, name string) map[string]bot.Code {
	t.Helper()
	codes := map[string]bot.Code{}
	for _, file := range sources(t, name) {
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				check(t, err)
				codes[spec.Names[0].Name] = bot.Code(value)
			}
			return true
		})
	}
	if len(codes) < 10 {
		t.Fatalf("%s declares %d codes", name, len(codes))
	}
	return codes
}

// made reports the codes that a file decides for: those that it does not merely
// compare with.
func made(file *ast.File) map[string]bool {
	found := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
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

// TestEveryCodeIsSaidAndMade: each code has words, of which each is known, and is made
// by a decision; those of comments alone are not made by one that is also taken
// elsewhere.
func TestEveryCodeIsSaidAndMade(t *testing.T) {
	everywhere, inComments := codesOf(t, "decision_code.go"), codesOf(t, "comment_code.go")
	decided, answered := map[string]bool{}, map[string]bool{}
	for name, file := range sources(t, "*.go") {
		for code := range made(file) {
			switch {
			case slices.Contains([]string{"decision_code.go", "comment_code.go", "markdown_texts.go"}, name):
			case strings.HasPrefix(name, "decide"), name == "wayback.go":
				decided[code] = true
			default:
				answered[code] = true
			}
		}
	}
	surface := bot.Markdown()
	for name, code := range everywhere {
		if !decided[name] {
			t.Errorf("no decision is %s", name)
		}
		said(t, surface, code)
	}
	for name, code := range inComments {
		if decided[name] || !answered[name] {
			t.Errorf("%s is made by a decision: %v; by an answer to a comment: %v", name, decided[name], answered[name])
		}
		said(t, surface, code)
	}
	for code := range bot.MarkdownTexts {
		if !slices.Contains(slices.Collect(maps.Values(everywhere)), code) && !slices.Contains(slices.Collect(maps.Values(inComments)), code) {
			t.Errorf("Markdown has words for %s, which is no code", code)
		}
	}
}

// silent are decisions that the release's own comment shows.
var silent = []bot.Code{bot.CodeApproved, bot.CodeSubmitted, bot.CodeRetried}

func said(t *testing.T, surface bot.Surface, code bot.Code) {
	t.Helper()
	text, ok := surface.Texts[code]
	if !ok || text.String() == "" && !slices.Contains(silent, code) {
		t.Errorf("%s has no words", code)
	}
	os.Expand(text.Says+text.Next, func(word string) string {
		if surface.Words[word] == nil && word != "because" {
			t.Errorf("%s says ${%s}, which is no word", code, word)
		}
		return ""
	})
}

// TestDecidingSaysNothing: what decides needs no client and no clock, and has no
// sentence: it takes data and makes codes of it.
func TestDecidingSaysNothing(t *testing.T) {
	allowed := []string{
		"slices", "strings", "time", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/apimachinery/pkg/types",
		"github.com/turnout-dev/turnout/api/v1alpha1",
	}
	files := sources(t, "deci*.go")
	for _, name := range []string{"wayback.go", "situation.go", "releases.go", "application.go"} {
		files[name] = sources(t, name)[name]
	}
	for name, file := range files {
		for _, spec := range file.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err != nil || !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, spec.Path.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				if n.Tag != nil {
					return false
				}
			case *ast.BasicLit:
				if n.Kind == token.STRING && strings.ContainsAny(n.Value, " %") {
					t.Errorf("%s says %s", name, n.Value)
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && n.Sel.Name == "Now" {
					t.Errorf("%s reads the clock", name)
				}
			}
			return true
		})
	}
}
