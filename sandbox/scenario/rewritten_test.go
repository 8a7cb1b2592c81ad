package scenario

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestRewrittenHistoryIsFollowedAndReported(t *testing.T) {
	t.Parallel()
	a := adoptExample(t, "rewritten", map[string]any{"soak": "0s", "drain": "0s", "hold": "0s"})
	base, err := a.repo.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	lost := a.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"})
	a.follow(lost, "success", in(v1alpha1.ReleaseSucceeded))
	if err := a.repo.ForcePush("main", base, running.writer); err != nil {
		t.Fatal(err)
	}
	kept := a.merge("Version three", map[string]string{"VERSION": "v3.0.0\n"})
	rel := a.follow(kept, "success", in(v1alpha1.ReleaseSucceeded))
	want := "the history of main was rewritten: " + v1alpha1.ShortCommit(kept.MergeCommit()) + " does not contain " +
		v1alpha1.ShortCommit(lost.MergeCommit())
	if got := findings(rel); !strings.Contains(got, want) {
		t.Errorf("the findings lack %q:\n%s", want, got)
	}
	a.awaitComment(kept.Number, "was rewritten")
}
