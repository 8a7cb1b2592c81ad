package record

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The newest windows of a metric are kept, and a server's message is shortened.
func TestNewestWindowsOfAMetricAreKept(t *testing.T) {
	t.Parallel()
	c := v1alpha1.CheckStatus{Name: "errors"}
	for i := range 20 {
		c.Points = append(c.Points, v1alpha1.CheckPoint{Value: v1alpha1.NumberOf(float64(i)), Detail: strings.Repeat("x", 500)})
	}
	s := v1alpha1.ReleaseStatus{Analysis: &v1alpha1.AnalysisStatus{Checks: []v1alpha1.CheckStatus{c}}}
	if err := FitRelease(&s); err != nil {
		t.Fatal(err)
	}
	kept := s.Analysis.Checks[0].Points
	if n := len(kept); n != 12 || kept[n-1].Value != "19" || len(kept[0].Detail) > 160 {
		t.Errorf("%d windows are kept, the last is %+v", n, kept[n-1])
	}
}
