package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

const (
	module = "github.com/turnout-dev/turnout"
	api    = module + "/api/v1alpha1"
)

// words are the types of one-word facts in a record, by which every display of a release finds
// its text.
var words = []string{"WaitingFor", "WaitingBecause", "FailureReason", "FailureBecause"}

// read lists where words are derived from foreign text, and what limits them to the set.
var read = map[string]string{
	"deployer/waiting.go":           "the reason of the condition Ready; the schema has them all",
	"deployer/workload/diagnose.go": "why a container waits; no reason is returned but those that it names",
}

var loaded = sync.OnceValues(func() (*house, error) { return load("../..", []string{"."}) })

// product is the product's code, parsed and typed once.
func product(t *testing.T) *house {
	t.Helper()
	h, err := loaded()
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

// made adds the constants of words' types that a package uses, except in comparisons, to the set.
// It returns the places where a word comes from anything else.
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

// renders are the functions that may read a message of a release, and what they do with it.
// Everything else uses the facts.
var renders = map[string]string{
	"bot/report.Surface.Failure": "shows it behind the reason",
	"bot/command.reasonOf":       "hands it on to a decision's text",
	"bot/report.tab.description": "shows it in the Deployments tab",
	"bot/report.view.failed":     "shows it, shortened, in a comment",
	"bot/report.gist":            "has the comment written anew when it changes",
	"bot/report.timeline.saidOf": "shows what a step did",
	"bot/report.view.waiting":    "shows a record without facts",
	"cmd/turnout.asJSON":         "prints it for programs, beside the facts",
	"cmd/turnout.stands":         "prints what is no wait, and a record without facts",
	"cmd/turnout.stateOf":        "prints it for programs, beside the facts",
	"cmd/turnout.stepSays":       "prints what a step did",
	"deployer/track.Outcome":     "ends a release with its failure's words",
}

// messages are the sentences in a release's record.
var messages = []string{"ReleaseStatus.Message", "TimelineEntry.Message", "Failure.Message"}

// selected is a selected field as its type and name; empty outside package api.
func selected(s *types.Selection) string {
	if s == nil || s.Kind() != types.FieldVal || s.Obj().Pkg() == nil || s.Obj().Pkg().Path() != api {
		return ""
	}
	t := types.Unalias(s.Recv())
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	named, ok := t.(*types.Named)
	if !ok {
		return ""
	}
	return named.Obj().Name() + "." + s.Obj().Name()
}

// reads lists the messages of the record that a declaration reads: the left side of an assignment
// is written.
func reads(info *types.Info, decl ast.Decl) []string {
	written, found := map[ast.Expr]bool{}, []string(nil)
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, x := range n.Lhs {
				written[x] = n.Tok == token.ASSIGN
			}
		case *ast.SelectorExpr:
			if slices.Contains(messages, selected(info.Selections[n])) && !written[n] {
				found = append(found, types.ExprString(n))
			}
		}
		return true
	})
	return found
}

// nameOf is a declaration as its package, the type that it is a method of, and its name.
func nameOf(pkg *packages.Package, decl ast.Decl) string {
	name := strings.TrimPrefix(pkg.PkgPath, module+"/")
	f, ok := decl.(*ast.FuncDecl)
	if !ok {
		return name
	}
	if f.Recv != nil {
		name += "." + strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*")
	}
	return name + "." + f.Name.Name
}

// No decision rests on a sentence: a message is only shown, or passed on to be shown.
func TestMessagesOfTheRecordAreOnlyShown(t *testing.T) {
	h := product(t)
	seen := map[string]bool{}
	for _, pkg := range h.packages {
		for _, file := range h.written(pkg) {
			for _, decl := range file.Decls {
				for _, message := range reads(pkg.TypesInfo, decl) {
					name := nameOf(pkg, decl)
					if seen[name] = true; renders[name] == "" {
						t.Errorf("%s reads %s (%s): use the recorded facts instead", name, message, h.relative(h.file(decl.Pos())))
					}
				}
			}
		}
	}
	for name := range renders {
		if !seen[name] {
			t.Errorf("%s reads no message: remove it from the list", name)
		}
	}
}
