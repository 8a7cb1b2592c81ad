package deployer

import (
	"context"
	"log/slog"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// writes counts the writes of a release's status.
type writes struct{ n int }

func (w *writes) UpdateRelease(context.Context, *v1alpha1.Release, *v1alpha1.ReleaseStatus) error {
	w.n++
	return nil
}

// A wait is recorded once it has lasted: most pass, and a write would hold up what they wait for.
// Everything else is recorded at once.
func TestAWaitIsRecordedOnceItHasLasted(t *testing.T) {
	t.Parallel()
	began := time.Now()
	pods := func(done int32) func(*v1alpha1.ReleaseStatus) {
		return func(st *v1alpha1.ReleaseStatus) {
			st.Message, st.Waiting = "waits for pods", &v1alpha1.Waiting{For: v1alpha1.WaitsForPods, Done: done, Of: 2}
			st.Timeline[0].Message = st.Message
		}
	}
	endpoints := func(st *v1alpha1.ReleaseStatus) {
		st.Message, st.Waiting = "waits for endpoints", &v1alpha1.Waiting{For: v1alpha1.WaitsForLoadBalancer, Because: v1alpha1.BecauseEndpoints}
		st.Timeline[0].Message = st.Message
	}
	built := func(st *v1alpha1.ReleaseStatus) {
		st.Milestones.Built = &v1alpha1.BuiltMilestone{Image: "shop@sha256:1"}
	}
	type look struct {
		after  time.Duration // since the first one
		change func(*v1alpha1.ReleaseStatus)
		writes int // until then
	}
	for name, looks := range map[string][]look{
		"it passes":             {{0, pods(1), 0}, {passing / 2, built, 1}},
		"it lasts":              {{0, pods(1), 0}, {passing, pods(1), 1}, {2 * passing, pods(1), 1}},
		"it changes and lasts":  {{0, pods(0), 0}, {passing / 2, pods(1), 0}, {passing, pods(2), 1}, {passing + 1, pods(1), 1}},
		"the next one is new":   {{0, pods(0), 0}, {passing, pods(0), 1}, {10 * passing, pods(1), 1}, {11 * passing, pods(1), 2}},
		"another one comes":     {{0, pods(1), 0}, {passing, endpoints, 0}, {2*passing - 1, endpoints, 0}, {2 * passing, endpoints, 1}},
		"something else starts": {{0, pods(0), 0}, {1, built, 1}, {passing, pods(1), 1}, {2 * passing, pods(1), 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &writes{}
			d := driving{recorder: recorder{n}, turns: turns{&calls{}}}
			stored := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: "shop-1", UID: "1"}}
			stored.Status.Step, stored.Status.Timeline = v1alpha1.StepStage, []v1alpha1.TimelineEntry{{Step: v1alpha1.StepStage}}
			for i, l := range looks {
				w := &work{log: slog.New(slog.DiscardHandler), bg: &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}}
				w.o.Now = began.Add(l.after)
				a := w.attempt(stored.DeepCopy()) // each look reads what was written
				l.change(&a.rel.Status)
				before := n.n
				check(t, d.rest(t.Context(), a))
				if n.n != l.writes {
					t.Errorf("look %d: %d writes, want %d", i, n.n, l.writes)
				}
				switch {
				case n.n > before:
					stored = a.rel
				case len(a.saved.Message) == 0 && !w.wake.After(w.o.Now):
					t.Errorf("look %d: the wait is not recorded, and the next look is at %v", i, w.wake)
				}
			}
		})
	}
}
