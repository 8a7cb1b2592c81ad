package deployer

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// gives: a write gives green a weight.
func gives(weight string) func(what, body string) bool {
	return func(what, body string) bool {
		return what == patchShares && strings.Contains(body, `/weight","value":`+weight+`}`) && !strings.Contains(body, "backendRefs/-")
	}
}

// A process is stuck right before it raises the share, or before it takes it back, and
// another one has cancelled the release meanwhile. The first weight leaves nothing in the
// routes that its patch could be refused by.
func TestLateWeightDoesNotReachATargetThatWasGivenUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		late       string
		stay       int32
		cancel     bool // before the process is stuck
		generation int64
	}{
		"the first":  {late: "5", generation: 2},
		"the second": {late: "25", generation: 4},
		"the last":   {late: "0", stay: 25, cancel: true, generation: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, steps(tt.stay, 5, 25))
			l := w.startLate(gives(tt.late))
			rel := w.submit("a")
			if tt.cancel {
				w.cancel(w.await(rel, "25 % of the users", has(25)))
			}
			l.stuck()
			if !tt.cancel {
				w.cancel(rel)
			}
			w.run(quick("second"))
			w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
			w.expectOnGateway(v1alpha1.Blue, tt.generation)
			w.expectSizes(1, 0)
			l.arrives()
			w.expectOnGateway(v1alpha1.Blue, tt.generation)
			w.expectSizes(1, 0)
		})
	}
}
