// Package sourcetest reads a package's source for tests about it, for example that every
// code has a text, or that every pause has its facts. [Files] parses files, and [Constants]
// reads the constants of a type.
package sourcetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// File is one file of a package.
type File struct {
	*ast.File
	Name string // relative to the test's directory
	set  *token.FileSet
}

// Line is the line of a node, in the form file.go:12.
func (f File) Line(n ast.Node) string {
	return f.Name + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

// Files parses the files of a pattern, relative to the test's directory, without tests. It
// fails the test if there are none.
func Files(t testing.TB, pattern string) []File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{file, name, set})
	}
	if len(files) == 0 {
		t.Fatalf("no file is named %s", pattern)
	}
	return files
}

// Constants reads the string constants of a type: their names in Go, with their values. It
// fails the test if there are fewer than least: a pattern or a type that matches nothing
// would make the test useless.
func Constants[T ~string](t testing.TB, pattern string, least int) map[string]T {
	t.Helper()
	kind := reflect.TypeFor[T]().Name()
	constants := map[string]T{}
	for _, file := range Files(t, pattern) {
		ast.Inspect(file.File, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !isNamed(spec.Type, kind) {
				return true
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s: %s is no literal", file.Line(spec), spec.Names[0].Name)
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatalf("%s: %v", file.Line(spec), err)
			}
			constants[spec.Names[0].Name] = T(value)
			return true
		})
	}
	if len(constants) < least {
		t.Fatalf("%s declares %d constants of type %s, want %d at least", pattern, len(constants), kind, least)
	}
	return constants
}

// isNamed reports whether a type has a name, with or without its package.
func isNamed(x ast.Expr, name string) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == name
	case *ast.SelectorExpr:
		return x.Sel.Name == name
	}
	return false
}
