package deployer

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func TestEveryStepHasItsAct(t *testing.T) {
	t.Parallel()
	want := slices.Concat(track.Steps(v1alpha1.Deploy), track.Steps(v1alpha1.Rollback), track.UndoSteps())
	slices.Sort(want)
	want = slices.Compact(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(acts))); diff != "" {
		t.Errorf("the acts are not those of the tables (-tables +acts):\n%s", diff)
	}
	for s, act := range acts {
		if act == nil {
			t.Errorf("nothing is done at %s", s)
		}
	}
}

// trackLine is one that names a track's steps, in a comment or on a page.
var trackLine = regexp.MustCompile(`(?m)^[/ \t]*(deploy|undo|rollback): +([a-z ]+[a-z])`)

// What people read of the tracks, wherever they do, is what the tables have.
func TestTracksAreDocumentedAsTheyAre(t *testing.T) {
	t.Parallel()
	steps := map[string][]v1alpha1.Step{
		"deploy": track.Steps(v1alpha1.Deploy), "rollback": track.Steps(v1alpha1.Rollback), "undo": track.UndoSteps(),
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "doc.go", "track/doc.go", "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		lines := trackLine.FindAllStringSubmatch(string(text), -1)
		if page == "doc.go" && len(lines) != len(steps) {
			t.Errorf("%s names %d tracks, and there are %d", page, len(lines), len(steps))
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
