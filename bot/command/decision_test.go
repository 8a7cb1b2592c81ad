package command_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/internal/sourcetest"
)

// TestDecidingSaysNothing: deciding needs no client and no clock, and contains no
// sentences.
func TestDecidingSaysNothing(t *testing.T) {
	allowed := []string{
		"slices", "strings", "time", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/apimachinery/pkg/types",
		"github.com/turnout-dev/turnout/api/v1alpha1", "github.com/turnout-dev/turnout/internal/prose",
	}
	var files []sourcetest.File
	for _, pattern := range []string{"deci*.go", "wayback.go", "situation.go", "releases.go", "names.go"} {
		files = append(files, sourcetest.Files(t, pattern)...)
	}
	for _, file := range files {
		name := file.Name
		for _, spec := range file.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err != nil || !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, spec.Path.Value)
			}
		}
		ast.Inspect(file.File, func(n ast.Node) bool {
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
