package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// phase matches a constant of an application's phase, which has no type of its own.
var phase = regexp.MustCompile(`(?m)^\tPhase[A-Z]\w* += "(\w+)"`)

func TestTheGlossaryHasEveryPhaseStepSignResultAndClass(t *testing.T) {
	const page = "glossary.md"
	var phases []string
	for _, m := range phase.FindAllStringSubmatch(read(t, "../api/v1alpha1/bluegreen_status_types.go"), -1) {
		phases = append(phases, m[1])
	}
	slices.Sort(phases)
	_, ofApplication, _ := strings.Cut(read(t, page), "## Phases of an application")
	ofApplication, _, _ = strings.Cut(ofApplication, "\n## ")
	var said []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)`").FindAllStringSubmatch(ofApplication, -1) {
		said = append(said, m[1])
	}
	slices.Sort(said)
	all := slices.Concat(constants(t, "release_status_types.go", "ReleasePhase"), phases)
	slices.Sort(all)
	for what, tt := range map[string]struct{ want, got []string }{
		"steps":                   {constants(t, "release_step_types.go", "Step"), column(t, page, "| step", 1)},
		"phases":                  {all, column(t, page, "| phase", 1)},
		"an application's phases": {phases, said},
		"signs":                   {constants(t, "release_route_types.go", "Sign"), column(t, page, "| sign", 1)},
		"results of a proof":      {constants(t, "release_route_types.go", "ProofResult"), column(t, page, "| result", 1)},
		"classes":                 {constants(t, "release_failure_types.go", "FailureClass"), column(t, page, "| class", 1)},
	} {
		if len(tt.want) == 0 {
			t.Errorf("the code has no %s", what)
		}
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("docs/%s says otherwise of %s (-constants +page):\n%s", page, what, diff)
		}
	}
}

// What is said of other ways is what was measured last.
func TestAlternativesAreComparedByWhatWasMeasured(t *testing.T) {
	failed := func(name string) string {
		for _, r := range record(t).Rows {
			if r.Name == name {
				return fmt.Sprintf("%d of %d", r.Failed, r.Requests)
			}
		}
		t.Fatalf("nothing was measured of %s", name)
		return ""
	}
	for page, rows := range map[string][]string{
		"alternatives.md": {"selector-flip", "kubectl-patch-cold", "turnout-switch"},
		"../README.md":    {"selector-flip", "turnout-switch"},
	} {
		text := read(t, page)
		for _, row := range rows {
			if want := failed(row); !strings.Contains(text, want) {
				t.Errorf("%s does not say that of %s %s requests failed", page, row, want)
			}
		}
	}
}
