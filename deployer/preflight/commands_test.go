package preflight

import (
	"regexp"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// inProse matches a command within a text, where nobody can copy it whole.
var inProse = regexp.MustCompile(`(kubectl|gcloud|turnout) (annotate|apply|patch|edit|get|delete|rollout|builds|storage|deploy|promote|` +
	`rollback|confirm)\b.*(-n |--)`)

// expectCommands parses a finding's commands as a shell does: they must consist of literal
// words, name the application's namespace, and be safe to repeat.
func expectCommands(t *testing.T, f v1alpha1.Finding) {
	t.Helper()
	if inProse.MatchString(f.Message) {
		t.Errorf("the message of %s has a command in it: %s", f.Reason, f.Message)
	}
	for _, c := range f.Commands {
		if !c.Shown() {
			t.Errorf("%s: %q cannot be shown", f.Reason, c)
		}
		for _, words := range calls(t, c) {
			switch line := strings.Join(words, " "); {
			case words[0] == "printf", line == "kubectl apply --server-side --field-manager turnout-advice -f -":
			case words[0] != "kubectl", !strings.Contains(line, " -n shop"):
				t.Errorf("%s: %q does not name the application's namespace", f.Reason, c)
			case words[1] == "annotate" && !strings.HasSuffix(line, "-") && !strings.Contains(line, " --overwrite "):
				t.Errorf("%s: %q fails when it runs a second time", f.Reason, c)
			}
		}
	}
}

// calls are the programs that a command runs, each with its words.
func calls(t *testing.T, c v1alpha1.ShellCommand) [][]string {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(string(c)), "")
	if err != nil || len(file.Stmts) != 1 {
		t.Fatalf("a shell does not parse %q as a command: %v", c, err)
	}
	var all [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return true
		}
		if len(call.Assigns) > 0 {
			t.Errorf("%q sets a variable", c)
		}
		var words []string
		for _, word := range call.Args {
			words = append(words, literal(t, word))
		}
		all = append(all, words)
		return false
	})
	return all
}

// literal is a word that needs no expansion by a shell.
func literal(t *testing.T, word *syntax.Word) string {
	t.Helper()
	var text strings.Builder
	for _, part := range word.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			text.WriteString(strings.ReplaceAll(part.Value, `\'`, "'"))
		case *syntax.SglQuoted:
			text.WriteString(part.Value)
		default:
			t.Errorf("a shell expands something in %T", part)
		}
	}
	return text.String()
}
