package deployer

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// cohort reports whether the standby route leads testers to the colour that it leads to.
func (w *world) cohort() bool {
	w.t.Helper()
	return w.routes().Gateway.Standby.Cohort
}

// led is a release whose testers are led to its target.
func led(r *v1alpha1.Release) bool {
	return r.Status.Shift != nil && r.Status.Shift.Cohort != nil && r.Status.Shift.Cohort.Generation != 0
}

// Testers reach the new version from the first weight on, and nobody does by their header once the
// release goes back: before that is in effect, nothing of it shrinks.
func TestTestersAreLedToACanaryUntilItGoesBack(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(25, 5, 25))
	w.run()
	w.await(w.submit("a"), "testers", led)
	rel := w.await(w.newest(), "25 % of the users", has(25))
	if !w.cohort() || w.standby() != v1alpha1.Green {
		t.Errorf("testers are led to %s: %v", w.standby(), w.cohort())
	}
	if first := rel.Status.Shift.Weights[0].EffectiveAt; rel.Status.Shift.Cohort.IntendedAt.Before(first) {
		t.Errorf("testers were led there at %s, before the first weight was in effect at %s", rel.Status.Shift.Cohort.IntendedAt, first)
	}
	secret := w.standbySecret()
	g.holdStandby(true)
	w.cancel(rel)
	rel = w.await(rel, "the standby route", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseWithdraw &&
			strings.Contains(r.Status.Waiting.Detail, "the standby route: ")
	})
	if w.cohort() || w.standby() != v1alpha1.Green {
		t.Error("testers are led there still")
	}
	w.expectWeights(divided(100, 0))
	w.look()
	w.expectSizes(1, 1)
	if rel.LastWeight().EffectiveAt != nil {
		t.Error("the weight 0 is in effect although testers may be there")
	}
	if w.standbySecret() == secret {
		t.Error("the standby route has the secret of before, so a late write of the header may apply")
	}
	g.holdStandby(false)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectOnGateway(v1alpha1.Blue, 5)
	w.expectSizes(1, 0)
}

// From the switch on nobody needs the header: it is gone before, and that is in effect.
func TestTestersAreNoLongerLedAtTheSwitch(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(0, 5), untilPromote)
	w.run()
	rel := w.await(w.await(w.submit("a"), "testers", led), "a person at 5 %", waitsAt(5))
	g.holdStandby(true)
	w.promoteTo(rel, 100)
	rel = w.await(rel, "the standby route", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseWeight && strings.Contains(r.Status.Waiting.Detail,
			"the standby route: ")
	})
	w.look()
	w.expectWeights(divided(95, 5))
	if w.get(rel); w.cohort() || rel.Status.Milestones.ShiftedAt != nil {
		t.Errorf("testers are led there: %v, milestones %+v", w.cohort(), rel.Status.Milestones)
	}
	g.holdStandby(false)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectOnGateway(v1alpha1.Green, 4)
	if w.cohort() {
		t.Error("testers are led to the old version")
	}
}

// foundAbout waits until a release has a finding with such a text.
func (w *world) foundAbout(rel *v1alpha1.Release, text string) {
	w.t.Helper()
	w.await(rel, "a finding: "+text, func(r *v1alpha1.Release) bool {
		return slices.ContainsFunc(r.Status.Findings, func(f v1alpha1.Advice) bool { return strings.Contains(f.Text, text) })
	})
}

// A Gateway does not take the header out in time. All users come to the new version anyway.
func TestTestersWhoCannotBeLedAwayDoNotKeepTheSwitchFromHappening(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(0, 5), untilPromote, confirmsWithin(2*time.Second))
	w.run()
	rel := w.await(w.await(w.submit("a"), "testers", led), "a person at 5 %", waitsAt(5))
	g.holdStandby(true)
	w.promoteTo(rel, 100)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.foundAbout(rel, "X-Turnout-Cohort may still lead to green, after 2s (spec.deadlines.confirm)")
	if s := rel.Status.Shift.Cohort; s.LeftAt == nil || rel.Status.Milestones.ShiftedAt.Time.Before(s.LeftAt.Truncate(time.Second)) {
		t.Errorf("the switch did not wait for the header: %+v, milestones %+v", s, rel.Status.Milestones)
	}
	g.holdStandby(false)
	w.expectOnGateway(v1alpha1.Green, 4)
}

// The same on the way back, on which the weight 0 is in effect: the release ends.
func TestTestersWhoCannotBeLedAwayDoNotKeepACanaryFromEnding(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(25, 5, 25), confirmsWithin(2*time.Second))
	w.run()
	w.await(w.submit("a"), "testers", led)
	rel := w.await(w.newest(), "25 % of the users", has(25))
	g.holdStandby(true)
	w.cancel(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.foundAbout(rel, "X-Turnout-Cohort may still lead to green")
	i := slices.IndexFunc(rel.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepWithdraw })
	// On a slow machine the weight 0 itself may come later than that, which is then said.
	last := rel.LastWeight()
	inTime := last.Weight == 0 && last.EffectiveAt != nil && last.EffectiveAt.Sub(rel.Status.Timeline[i].StartedAt.Time) < 2*time.Second
	for _, f := range rel.Status.Findings {
		if inTime && strings.Contains(f.Text, "is not known to be 0") {
			t.Errorf("it says of the weight: %s", f.Text)
		}
	}
	g.holdStandby(false)
	w.expectOnGateway(v1alpha1.Blue, 5)
	w.expectSizes(1, 0)
}

// Nobody may write the standby route any more, say by a policy of the cluster: the release ends all
// the same, and the header is taken out once that is possible. Until then a colour that testers are
// led to keeps its pods.
func TestHeaderThatCannotBeTakenOutIsTakenOutLater(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end   func(*world, *v1alpha1.Release)
		phase v1alpha1.ReleasePhase
		sizes [2]int32
	}{
		"success":   {func(w *world, rel *v1alpha1.Release) { w.promoteTo(rel, 100) }, v1alpha1.ReleaseSucceeded, [2]int32{1, 1}},
		"withdrawn": {(*world).cancel, v1alpha1.ReleaseCancelled, [2]int32{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, steps(0, 5), untilPromote, confirmsWithin(2*time.Second))
			var broken atomic.Bool
			cfg := rest.CopyConfig(w.cfg)
			cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(req *http.Request) (*http.Response, error) {
					if broken.Load() && describe(req) == patchStandby {
						return nil, errSpoiled
					}
					return next.RoundTrip(req)
				})
			})
			w.runWith(cfg, quick("first"))
			rel := w.await(w.await(w.submit("a"), "testers", led), "a person at 5 %", waitsAt(5))
			broken.Store(true)
			tt.end(w, rel)
			rel = w.awaitPhase(rel, tt.phase)
			w.foundAbout(rel, "connection reset by the test")
			w.settled()
			w.look()
			w.expectSizes(tt.sizes[0], tt.sizes[1])
			if !w.cohort() {
				t.Error("testers are not led there any more, so this shows nothing")
			}
			broken.Store(false)
			w.until("testers to be led away", func() bool { w.poke(); return !w.routes().Gateway.Standby.Testers }, func() string { return "" })
		})
	}
}

// The owner changes the matches of the route during a canary: testers follow. What the owner then
// makes of it does not keep them there at the end.
func TestTestersFollowTheRouteThatChangesDuringACanary(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5, 25), untilPromote)
	w.run()
	rel := w.await(w.await(w.submit("a"), "testers", led), "a person at 5 %", waitsAt(5))
	w.edit(`[{"op":"replace","path":"/spec/rules/1/matches/0/path/value","value":"/v2"}]`)
	w.until("testers to follow", func() bool { return w.cohort() && w.standby() == v1alpha1.Green }, func() string { return "" })
	w.promoteTo(rel, 25)
	rel = w.await(rel, "a person at 25 %", waitsAt(25))
	w.edit(thirdBackend)
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	if w.routes().Gateway.Standby.Testers {
		t.Error("testers are led to a version that is gone")
	}
	w.expectSizes(1, 0)
}

func TestTestersAreNotLedToACanaryThatWantsNone(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5, 25), untilPromote, func(bg *v1alpha1.BlueGreen) { bg.Spec.Canary.Cohort = v1alpha1.CohortNone })
	w.run()
	rel := w.await(w.submit("a"), "a person at 5 %", waitsAt(5))
	w.look()
	if w.cohort() || rel.Status.Shift.Cohort != nil {
		t.Errorf("testers are led there: %+v", rel.Status.Shift.Cohort)
	}
	w.promoteTo(rel, 100)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

// Somebody else changed the weights, so testers are led where they were, until a rollback.
func TestTestersAreLedAwayByTheRollbackOfMixedRoutes(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 5, 25))
	w.run()
	w.await(w.submit("a"), "testers", led)
	w.await(w.newest(), "25 % of the users", has(25))
	w.reweigh([]int{0}, 60, 40)
	w.awaitPhase(w.newest(), v1alpha1.ReleaseError)
	back := w.mixedBack()
	if !w.cohort() {
		t.Error("testers were led away")
	}
	w.awaitPhase(w.rollbackBy(*back), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.until("testers to be led away", func() bool { return !w.cohort() }, func() string { return "" })
}

// A process is stuck right before it leads testers to the target, and another one has cancelled the
// release meanwhile.
func TestLateCohortDoesNotReachATargetThatWasGivenUp(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 5, 25))
	l := w.startLate(func(what, body string) bool {
		return what == patchStandby && strings.Contains(body, v1alpha1.CohortHeaderName)
	})
	rel := w.submit("a")
	l.stuck()
	w.cancel(rel)
	w.run(quick("second"))
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectSizes(1, 0)
	l.arrives()
	if w.cohort() {
		t.Error("testers are led to a version that is gone")
	}
}

// newest is the newest release.
func (w *world) newest() *v1alpha1.Release {
	w.t.Helper()
	var all v1alpha1.ReleaseList
	check(w.t, w.kube.List(w.t.Context(), &all, client.InNamespace(w.namespace)))
	if len(all.Items) != 1 {
		w.t.Fatalf("there are %d releases", len(all.Items))
	}
	return &all.Items[0]
}
