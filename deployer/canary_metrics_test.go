package deployer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// newJudgedCanary has such steps, and the grants for its metrics.
func newJudgedCanary(t testing.TB, p *prometheus, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w, _ := newGatewayWorld(t, append([]func(*v1alpha1.BlueGreen){steps(0, 5, 25), measured(p.URL)}, change...)...)
	w.annotate(map[string]string{v1alpha1.MetricsAnnotation: p.URL})
	return w
}

func observedCanary(bg *v1alpha1.BlueGreen) { observed(bg.Spec.Analysis) }

// awaitStepsMetrics waits until only metrics keep a step from ending, and the reason is shown.
func (w *world) awaitStepsMetrics(rel *v1alpha1.Release, why string) {
	w.t.Helper()
	w.await(rel, "the wait for the step's metrics", func(r *v1alpha1.Release) bool {
		wait := r.Status.Waiting
		return wait != nil && wait.For == v1alpha1.WaitsForShift && wait.Because == v1alpha1.BecauseMetrics && wait.Of == 1 && wait.Done == 0 &&
			strings.Contains(wait.Detail, why)
	})
}

// In each step of a canary the new version is compared with the one beside it.
func TestMetricsDecideHowAStepOfACanaryEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		numbers map[string]string
		lacking string // what it waits for until the deadline
		away    bool
		change  func(*v1alpha1.BlueGreen)
		phase   v1alpha1.ReleasePhase
		reason  v1alpha1.FailureReason
		weights []int32
		said    []string
	}{
		"as the other": {numbers: numbers("10", "200", "12"), phase: v1alpha1.ReleaseSucceeded, weights: []int32{5, 25}},
		"errors": {
			numbers: numbers("2", "200", "60"), phase: v1alpha1.ReleaseFailed, reason: v1alpha1.FailedCheck, weights: []int32{5, 0},
			said: []string{
				"at 5 % of the users, check failures failed 2 times in a row: 60 of 200 were errors in its last window, " +
					"and 2 of 200 of the version beside it",
			},
		},
		"errors are observed": {
			numbers: numbers("", "200", "60"), change: observedCanary, phase: v1alpha1.ReleaseSucceeded, weights: []int32{5, 25},
		},
		"ten requests": {
			numbers: numbers("", "10", "10"), lacking: "too few samples (10)", phase: v1alpha1.ReleaseError,
			reason: v1alpha1.FailedMetricsUnseen, weights: []int32{5, 0}, said: []string{"after the step of 5 %", "too few samples (10)"},
		},
		"away": {
			away: true, lacking: "503", phase: v1alpha1.ReleaseError, reason: v1alpha1.FailedMetricsUnseen, weights: []int32{5, 0},
			said: []string{"after the step of 5 %", "no metrics since", "503"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPrometheus(t, tt.numbers)
			p.away = tt.away
			change := tt.change
			if change == nil {
				change = func(*v1alpha1.BlueGreen) {}
			}
			w := newJudgedCanary(t, p, change)
			w.run()
			rel := w.submit("a")
			if tt.lacking != "" {
				w.awaitStepsMetrics(rel, tt.lacking)
				w.expectWeights(divided(95, 5))
				w.configure(`{"analysis":{"deadline":"1ms"}}`)
			}
			rel = w.awaitPhase(rel, tt.phase)
			if diff := cmp.Diff(tt.weights, weightsOf(rel)); diff != "" {
				t.Errorf("its weights (-want +got):\n%s", diff)
			}
			if tt.reason == "" {
				return
			}
			if f := rel.Status.Failure; f.Reason != tt.reason || f.Step != v1alpha1.StepShift {
				t.Errorf("the failure is %+v, want %q", f, tt.reason)
			}
			w.expectMessage(rel, tt.said...)
			w.expectOnGateway(v1alpha1.Blue, 4)
			w.expectSizes(1, 0)
			if rel.Status.Analysis.Weight != 5 {
				t.Errorf("the metrics are recorded for %d %%", rel.Status.Analysis.Weight)
			}
		})
	}
}

// Every window that is judged lies after the weight took effect, and before the next one.
func TestStepOfACanaryEndsAfterItsWindows(t *testing.T) {
	t.Parallel()
	p := startPrometheus(t, numbers("", "200", ""))
	w := newJudgedCanary(t, p, steps(25, 5, 25))
	w.run()
	rel := w.await(w.submit("a"), "a verdict at 25 %", func(r *v1alpha1.Release) bool {
		a := r.Status.Analysis
		return has(25)(r) && a != nil && a.Weight == 25 && a.Checks[0].Verdicts > 0
	})
	first, second := rel.Status.Shift.Weights[0], rel.Status.Shift.Weights[1]
	if second.IntendedAt.Sub(first.EffectiveAt.Time) < time.Second {
		t.Errorf("the step of 5 %% took %s, less than a window", second.IntendedAt.Sub(first.EffectiveAt.Time))
	}
	c := rel.Status.Analysis.Checks[0]
	for _, point := range c.Points {
		if point.At.Sub(second.EffectiveAt.Time) < time.Second {
			t.Errorf("a window of 25 %% that ends at %s is judged, in effect since %s", point.At, second.EffectiveAt)
		}
	}
	if at := c.Points[len(c.Points)-1].At; !c.Other.At.Equal(&at) {
		t.Errorf("the window of %s is compared with the one of %s", at, c.Other.At)
	}
}

// Who takes all steps at once does not take away what metrics have to say.
func TestPromotionOfACanaryWaitsForItsMetrics(t *testing.T) {
	t.Parallel()
	p := startPrometheus(t, numbers("", "10", ""))
	w := newJudgedCanary(t, p, func(bg *v1alpha1.BlueGreen) { bg.Spec.Canary.Steps[0].For = metav1.Duration{Duration: time.Hour} })
	w.run()
	rel := w.await(w.submit("a"), "5 % of the users", has(5))
	w.promoteTo(rel, 100)
	w.awaitStepsMetrics(rel, "too few samples (10)")
	w.expectWeights(divided(95, 5))
	p.change(func() { p.numbers["requests green"] = "200" })
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	if diff := cmp.Diff([]int32{5}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
}

// Users keep their share for as long as something holds a step back, and so the metrics are judged.
func TestMetricsAreJudgedWhileAStepOfACanaryIsHeldBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*v1alpha1.BlueGreen)
		hold   func(w *world, rel *v1alpha1.Release)
		held   v1alpha1.WaitingFor
	}{
		"a need lacks": {func(*v1alpha1.BlueGreen) {}, func(w *world, _ *v1alpha1.Release) {
			w.patch(w.service(v1alpha1.Green), `{"spec":{"selector":{"version":"none"}}}`)
		}, v1alpha1.WaitsForShift},
		"promoted, and locked": {steps(5, 5, 25), func(w *world, rel *v1alpha1.Release) {
			w.promoteTo(rel, 100)
			w.lock("audit")
		}, v1alpha1.WaitsForLock},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPrometheus(t, numbers("", "10", "")) // no verdict yet, so that the step does not end before it is held
			w := newJudgedCanary(t, p, tt.change)
			w.run()
			rel := w.await(w.submit("a"), "5 % of the users", has(5))
			tt.hold(w, rel)
			w.until("the step to be held", func() bool {
				w.get(rel)
				ready, err := w.router().ReadyEndpoints(t.Context(), w.namespace, "my-python-app-green-svc")
				return err == nil && (len(ready) == 0 || rel.LastWeight().LockedSince != nil)
			}, func() string { return rel.Status.Message })
			p.change(func() { p.numbers["requests green"] = "200" })
			rel = w.await(rel, "a verdict", func(r *v1alpha1.Release) bool {
				a, waits := r.Status.Analysis, r.Status.Waiting
				return a != nil && len(a.Checks) > 0 && a.Checks[0].Verdicts > 2 && waits != nil && waits.For == tt.held &&
					waits.Because != v1alpha1.BecauseMetrics
			})
			w.expectWeights(divided(95, 5))
			p.change(func() { p.numbers["errors green"] = "60" })
			rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
			if f := rel.Status.Failure; f.Reason != v1alpha1.FailedCheck || f.Step != v1alpha1.StepShift {
				t.Errorf("the failure is %+v", f)
			}
			if diff := cmp.Diff([]int32{5, 0}, weightsOf(rel)); diff != "" {
				t.Errorf("its weights (-want +got):\n%s", diff)
			}
		})
	}
}

// The proof asks once a second. In a short window that may be all there is, and does not judge a
// version.
func TestOwnRequestsOfTheProofDoNotMakeSamplesEnough(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url  string
		want [2]float64
	}{"asked": {"https://shop.example.com", [2]float64{9, 60}}, "not asked": {"", [2]float64{0, 0}}} {
		w := &metricsWatch{bg: &v1alpha1.BlueGreen{}, when: track.MetricsWatch{Window: time.Minute, Weight: 5}}
		w.bg.Spec.URL = tt.url
		if got := w.ownRequests(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
