package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

const (
	module = "github.com/turnout-dev/turnout"
	api    = module + "/api/v1alpha1"
)

// words are the types of what a record says in one word: whoever shows a release finds
// its text by them.
var words = []string{"WaitingFor", "WaitingBecause", "FailureReason", "FailureBecause"}

// read is where words are made of what others said, and what holds them to the set.
var read = map[string]string{
	"deployer/waiting.go":           "the reason of the condition Ready; the schema has them all",
	"deployer/workload/diagnose.go": "why a container waits; no reason is returned but those that it names",
}

// product is the product's code, parsed and typed once.
func product(t *testing.T) *house {
	t.Helper()
	h, err := load("../..", []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// word is the name of one of the words' types; empty if it is another type.
func word(t types.Type) string {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || named.Obj().Pkg().Path() != api || !slices.Contains(words, named.Obj().Name()) {
		return ""
	}
	return named.Obj().Name()
}

// made lists the constants of words' types that a package uses for more than to
// compare with them, into the set, and returns where a word is made of anything else.
func made(h *house, pkg *packages.Package, into map[string]bool) []string {
	var others []string
	info := pkg.TypesInfo
	for _, file := range h.written(pkg) {
		name := h.relative(h.file(file.Pos()))
		compared := map[ast.Expr]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CaseClause:
				for _, x := range n.List {
					compared[x] = !strings.HasPrefix(name, "deployer/workload/") // there it is read, see [read]
				}
			case *ast.BinaryExpr:
				if n.Op == token.EQL || n.Op == token.NEQ {
					compared[n.X], compared[n.Y] = true, true
				}
			case *ast.CallExpr:
				if info.Types[n.Fun].IsType() && word(info.TypeOf(n)) != "" && read[name] == "" {
					others = append(others, name+": "+types.ExprString(n))
				}
			case *ast.BasicLit:
				if tv := info.Types[n]; word(tv.Type) != "" && constant.StringVal(tv.Value) != "" {
					others = append(others, name+": "+n.Value+" is no constant of api/v1alpha1")
				}
			case *ast.SelectorExpr:
				if c, ok := info.Uses[n.Sel].(*types.Const); ok && word(c.Type()) != "" && !compared[n] {
					into[c.Name()] = true
				}
			}
			return true
		})
	}
	return others
}

func TestEveryWordOfTheRecordIsMadeAndNoOther(t *testing.T) {
	h := product(t)
	used, known := map[string]bool{}, map[string]bool{}
	for _, pkg := range h.packages {
		if pkg.PkgPath == api {
			for _, name := range pkg.Types.Scope().Names() {
				if c, ok := pkg.Types.Scope().Lookup(name).(*types.Const); ok && word(c.Type()) != "" {
					known[name] = true
				}
			}
			continue
		}
		into := map[string]bool{}
		if strings.HasPrefix(pkg.PkgPath, module+"/deployer") {
			into = used
		}
		for _, other := range made(h, pkg, into) {
			t.Error(other)
		}
	}
	if len(known) < 60 {
		t.Fatalf("api/v1alpha1 has only %d such constants", len(known))
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !used[name] {
			t.Errorf("no release is ever recorded with v1alpha1.%s", name)
		}
	}
}
