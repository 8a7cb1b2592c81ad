package deployer

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

// bound are the acts of a deployer whose clients reach nothing.
func bound() map[v1alpha1.Step]act {
	d := &Deployer{
		Record: &record.Record{}, Repositories: &record.Repositories{}, Routes: &route.Router{}, Workloads: &workload.Workloads{},
	}
	return d.wired().driving.acts
}

func TestEveryStepHasItsAct(t *testing.T) {
	t.Parallel()
	want := slices.Concat(track.Steps(v1alpha1.Deploy), track.Steps(v1alpha1.Rollback), track.Steps(v1alpha1.Contract), track.UndoSteps())
	slices.Sort(want)
	want = slices.Compact(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(bound()))); diff != "" {
		t.Errorf("the acts differ from the tables' steps (-tables +acts):\n%s", diff)
	}
	for s, act := range bound() {
		if act == nil {
			t.Errorf("step %s has no act", s)
		}
	}
}

// trackLine is a line that names a track's steps, in a comment or on a page.
var trackLine = regexp.MustCompile(`(?m)^[/ \t]*(deploy|undo|rollback|contract): +([a-z ]+[a-z])`)

// Every description of the tracks agrees with the tables.
func TestTracksAreDocumentedAsTheyAre(t *testing.T) {
	t.Parallel()
	steps := map[string][]v1alpha1.Step{
		"deploy": track.Steps(v1alpha1.Deploy), "rollback": track.Steps(v1alpha1.Rollback), "undo": track.UndoSteps(),
		"contract": track.Steps(v1alpha1.Contract),
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	acts := bound()
	for _, page := range append(pages, "doc.go", "track/doc.go", "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		lines := trackLine.FindAllStringSubmatch(string(text), -1)
		if page == "doc.go" && len(lines) != len(steps) {
			t.Errorf("%s names %d tracks, want %d", page, len(lines), len(steps))
		}
		for _, line := range lines {
			var found []v1alpha1.Step
			for s := range strings.FieldsSeq(line[2]) {
				found = append(found, v1alpha1.Step(s))
			}
			if acts[found[0]] == nil {
				continue // a sentence
			}
			if diff := cmp.Diff(steps[line[1]], found); diff != "" {
				t.Errorf("%s has another track %s (-table +page):\n%s", page, line[1], diff)
			}
		}
	}
}

// An act can be read, changed and removed by itself: what two acts need has a file of its own.
// Only acts.go knows the acts.
func TestNothingReachesIntoAnActsFile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	check(t, err)
	step := func(file string) string { // act_build_plan.go belongs to build
		name, is := strings.CutPrefix(strings.TrimSuffix(file, ".go"), "act_")
		if !is {
			return ""
		}
		name, _, _ = strings.Cut(name, "_")
		return name
	}
	of := map[string]string{} // declared name → act
	parsed := map[string]*ast.File{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "acts.go" {
			continue
		}
		parsed[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		check(t, err)
		if s := step(name); s != "" {
			for _, declared := range declaredIn(parsed[name]) {
				of[declared] = s
			}
		}
	}
	if len(of) < len(bound()) {
		t.Fatalf("only %d names are declared in the acts' files", len(of))
	}
	for name, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && of[id.Name] != "" && of[id.Name] != step(name) {
				t.Errorf("%s uses %s, which is of the act %s", name, id.Name, of[id.Name])
			}
			return true
		})
	}
}

// declaredIn are the names that a file declares for its package.
func declaredIn(file *ast.File) []string {
	var names []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, spec.Name.Name)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}
