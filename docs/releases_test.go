package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// constants are the values of a type's constants in api/v1alpha1.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "../api/v1alpha1/"+file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if named, ok := spec.Type.(*ast.Ident); ok && named.Name == typ {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return false
	})
	slices.Sort(values)
	return values
}

var word = regexp.MustCompile("`([^`]+)`")

// column are the words in a column of the page's tables whose head begins so.
func column(t *testing.T, page, head string, i int) []string {
	t.Helper()
	var words []string
	in := false
	for line := range strings.Lines(read(t, page)) {
		switch {
		case strings.HasPrefix(line, head):
			in = true
		case !strings.HasPrefix(line, "|"):
			in = false
		case in:
			for _, m := range word.FindAllStringSubmatch(strings.Split(line, "|")[i], -1) {
				words = append(words, m[1])
			}
		}
	}
	slices.Sort(words)
	return words
}

func TestThePageOfReleasesHasEveryWordOfTheRecord(t *testing.T) {
	const page = "releases.md"
	for what, tt := range map[string]struct{ want, got []string }{
		"what a release waits for": {
			constants(t, "release_waiting_types.go", "WaitingFor"), column(t, page, "| `for` | the release", 1),
		},
		"why it waits": {
			constants(t, "release_waiting_types.go", "WaitingBecause"), column(t, page, "| `for` | `because`", 2),
		},
		"why it failed": {
			constants(t, "release_failure_types.go", "FailureReason"), column(t, page, "| `reason`", 1),
		},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("docs/%s says otherwise %s (-constants +page):\n%s", page, what, diff)
		}
	}
	said := read(t, page)
	for _, because := range constants(t, "release_failure_types.go", "FailureBecause") {
		if !strings.Contains(said, "`"+because+"`") {
			t.Errorf("docs/%s does not explain %s", page, because)
		}
	}
}
