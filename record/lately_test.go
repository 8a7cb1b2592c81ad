package record

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestVersionsAreKnownForAWhile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	rel := func(version string, phase v1alpha1.ReleasePhase) *v1alpha1.Release {
		return &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{UID: "u", ResourceVersion: version}, Status: v1alpha1.ReleaseStatus{Phase: phase},
		}
	}
	var v versions
	v.note(rel("1", v1alpha1.ReleaseRunning), now)
	for name, tt := range map[string]struct {
		version string
		after   time.Duration
		want    bool
	}{
		"the same, soon":  {"1", lately - 1, true},
		"the same, later": {"1", lately, false},
		"another one":     {"2", 0, false},
	} {
		if got := v.has(rel(tt.version, ""), now.Add(tt.after)); got != tt.want {
			t.Errorf("%s: known is %v", name, got)
		}
	}
	v.note(rel("2", v1alpha1.ReleaseSucceeded), now)
	if len(v.of) > 0 {
		t.Errorf("a finished release is remembered: %v", v.of)
	}
}
