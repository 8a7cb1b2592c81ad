package deployer

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// steps gives the application a canary of such weights, each for a moment or, if it is the
// one to stay at, for an hour.
func steps(stay int32, weights ...int32) func(*v1alpha1.BlueGreen) {
	return func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Canary = &v1alpha1.CanarySpec{}
		for _, w := range weights {
			s := v1alpha1.CanaryStep{Weight: w, For: metav1.Duration{Duration: 10 * time.Millisecond}}
			if w == stay {
				s.For.Duration = time.Hour
			}
			bg.Spec.Canary.Steps = append(bg.Spec.Canary.Steps, s)
		}
		bg.Spec.Gate.Interval = metav1.Duration{Duration: 500 * time.Millisecond}
	}
}

// untilPromote lets the steps of the canary end when somebody promotes them.
func untilPromote(bg *v1alpha1.BlueGreen) {
	for i := range bg.Spec.Canary.Steps {
		bg.Spec.Canary.Steps[i].For, bg.Spec.Canary.Steps[i].Until = metav1.Duration{}, v1alpha1.UntilPromote
	}
}

// waitsAt is a release that waits for a person at a weight.
func waitsAt(weight int32) func(*v1alpha1.Release) bool {
	return func(r *v1alpha1.Release) bool {
		w := r.Status.Waiting
		return has(weight)(r) && r.Status.Phase == v1alpha1.ReleaseWaiting && w != nil && w.For == v1alpha1.WaitsForApproval &&
			w.Because == v1alpha1.BecauseStep && w.Done == weight && w.Until != nil
	}
}

// has is a release whose target has a weight in effect.
func has(weight int32) func(*v1alpha1.Release) bool {
	return func(r *v1alpha1.Release) bool {
		last := r.LastWeight()
		return last != nil && last.Weight == weight && last.EffectiveAt != nil
	}
}

// divided are the weights of both rules.
func divided(blue, green int) []string {
	one := fmt.Sprintf("blue %d green %d", blue, green)
	return []string{one, one}
}

func (w *world) expectWeights(want []string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.weights()); diff != "" {
		w.t.Errorf("the users' route (-want +got):\n%s", diff)
	}
}

// weightsOf are those that a release gave its target.
func weightsOf(r *v1alpha1.Release) []int32 {
	var all []int32
	for _, s := range r.Status.Shift.Weights {
		all = append(all, s.Weight)
	}
	return all
}

func TestCanaryTakesItsStepsAndThenAll(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5, 25, 50))
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if diff := cmp.Diff([]int32{5, 25, 50}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	for i, s := range rel.Status.Shift.Weights {
		if s.Generation != int64(3+i) || s.EffectiveAt == nil || s.EffectiveBy != v1alpha1.SignRouteStatus {
			t.Errorf("weight %d is recorded as %+v", s.Weight, s)
		}
		if i > 0 && s.IntendedAt.Before(rel.Status.Shift.Weights[i-1].EffectiveAt) {
			t.Errorf("weight %d was intended before the one before was in effect", s.Weight)
		}
	}
	var taken []string
	for _, e := range rel.Status.Timeline {
		taken = append(taken, string(e.Step))
	}
	want := []string{"build", "attach", "stage", "warm", "verify", "promote", "shift", "switch", "confirm", "soak"}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	w.expectOnGateway(v1alpha1.Green, 6)
	w.expectSizes(1, 1)
}

func TestCanaryThatIsCancelledGoesTo0AndIsThenDiscarded(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(25, 5, 25))
	w.run()
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	w.expectWeights(divided(75, 25))
	if c := readyCondition(w.application()); c.Status != metav1.ConditionTrue {
		t.Errorf("while it divides users the application says %+v", c)
	}
	g.holdInside(true)
	w.cancel(rel)
	rel = w.await(rel, "waits until users are gone", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseWithdraw
	})
	w.expectWeights(divided(100, 0))
	w.expectSizes(1, 1)
	g.holdInside(false)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	if diff := cmp.Diff([]int32{5, 25, 0}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	if rel.Status.Milestones.WithdrawnAt == nil || rel.Status.Milestones.DiscardedAt == nil {
		t.Errorf("milestones are %+v", rel.Status.Milestones)
	}
	w.expectOnGateway(v1alpha1.Blue, 5)
	w.expectSizes(1, 0)
}

// A lock stops what makes the share larger, and the time that the step has, but no way
// back.
func TestLockStopsACanaryAndItsClockButNotItsWayBack(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25, 50))
	w.run()
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	w.lock("audit")
	rel = w.awaitLocked(rel, "audit")
	if last := rel.LastWeight(); last.LockedSince == nil {
		t.Errorf("the clock of %+v goes on behind the lock", last)
	}
	w.unlock()
	rel = w.await(rel, "its clock to go on", func(r *v1alpha1.Release) bool { return r.LastWeight().LockedSince == nil })
	end := rel.LastWeight().EffectiveAt.Add(time.Hour + rel.LastWeight().Locked.Duration)
	if rel.LastWeight().Locked.Duration <= 0 || rel.Status.Waiting.Until.Sub(end).Abs() > time.Second {
		t.Errorf("it waits until %s, want %s", rel.Status.Waiting.Until, end)
	}
	w.lock("audit")
	rel = w.awaitLocked(rel, "audit")
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectWeights(divided(100, 0))
}

func TestStepsThatWaitForAPersonAreTakenOneByOne(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5, 25), untilPromote)
	w.run()
	rel := w.await(w.submit("a"), "a person at 5 %", waitsAt(5))
	w.promoteTo(rel, 25)
	rel = w.await(rel, "a person at 25 %", waitsAt(25))
	w.expectWeights(divided(75, 25))
	w.promoteTo(rel, 100)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	if diff := cmp.Diff([]int32{5, 25}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	w.expectOnGateway(v1alpha1.Green, 5)
}

func TestCanaryThatNobodyPromotesGoesTo0(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5), untilPromote, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Promotion.Timeout = metav1.Duration{Duration: 2 * time.Second}
	})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseCancelled)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedNotApproved || !strings.Contains(f.Message, "from 5 %") {
		t.Errorf("the failure is %+v", f)
	}
	w.expectOnGateway(v1alpha1.Blue, 4)
	w.expectSizes(1, 0)
}

// All steps that remain are taken at once, but not what a larger share needs: here that
// nobody locks the application.
func TestCanaryThatIsPromotedToAllSkipsItsStepsAndKeepsItsNeeds(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(5, 5, 25, 50))
	w.run()
	rel := w.await(w.submit("a"), "5 % of the users", has(5))
	w.lock("audit")
	rel = w.awaitLocked(rel, "audit")
	w.promoteTo(rel, 100)
	w.look()
	w.expectWeights(divided(95, 5))
	w.unlock()
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	if diff := cmp.Diff([]int32{5}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	w.expectOnGateway(v1alpha1.Green, 4)
}

// Humans win: their weights stay, in one rule or in all, and both colours keep the size
// that they have.
func TestWeightsThatSomebodyElseWroteStay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rules []int
		want  []string
	}{
		"in all rules": {[]int{0, 1}, []string{"blue 60 green 40", "blue 60 green 40"}},
		"in one rule":  {[]int{1}, []string{"blue 75 green 25", "blue 60 green 40"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, steps(25, 25, 50))
			w.autoscaleBoth()
			w.run()
			rel := w.await(w.submit("a"), "25 % of the users", has(25))
			w.reweigh(tt.rules, 60, 40)
			rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
			if f := rel.Status.Failure; f.Reason != v1alpha1.FailedInterference || !strings.Contains(f.Message, "was given other weights") {
				t.Errorf("the failure is %+v", f)
			}
			w.awaitReason(v1alpha1.ReasonMixedRoutes)
			w.expectWeights(tt.want)
			w.expectSizes(2, 2)
			w.look()
			w.expectMinimum(v1alpha1.Blue, "2 1 raised to 2")
			w.expectMinimum(v1alpha1.Green, "2 1 raised to 2")
		})
	}
}

// reweigh gives rules of the users' route other weights, as somebody would by hand.
func (w *world) reweigh(rules []int, blue, green int64) {
	w.t.Helper()
	var ops []map[string]any
	for _, i := range rules {
		for j, weight := range []int64{blue, green} {
			ops = append(ops, map[string]any{
				"op": "replace", "path": fmt.Sprintf("/spec/rules/%d/backendRefs/%d/weight", i, j), "value": weight,
			})
		}
	}
	data, err := json.Marshal(ops)
	check(w.t, err)
	check(w.t, w.kube.Patch(w.t.Context(), w.readRoute("shop"), client.RawPatch(types.JSONPatchType, data)))
}

// The old colour grows while the new one has a share: both keep that size, by both
// autoscalers, and nothing is staged anew.
func TestColourWithoutAutoscalerGrowsWithTheOldOneDuringACanary(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25))
	w.run()
	w.await(w.submit("a"), "25 % of the users", has(25))
	w.resize(v1alpha1.Blue, 3)
	w.until("green to grow", func() bool { return w.size(v1alpha1.Green) == 3 }, func() string { return "" })
	w.expectWeights(divided(75, 25))
}

func TestBothColoursKeepTheLargestSizeOfTheOldOneDuringACanary(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25))
	w.autoscaleBoth()
	w.run()
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	w.awaitMinimum(v1alpha1.Blue, "2 1 raised to 2")
	staged := *rel.Status.Milestones.Staged
	w.resize(v1alpha1.Blue, 4)
	w.until("green to grow", func() bool { return w.size(v1alpha1.Green) == 4 }, func() string { return "" })
	w.awaitMinimum(v1alpha1.Blue, "4 1 raised to 4")
	w.awaitMinimum(v1alpha1.Green, "4 1 raised to 4")
	w.get(rel)
	if diff := cmp.Diff(staged, *rel.Status.Milestones.Staged); diff != "" || rel.Status.Step != v1alpha1.StepShift {
		t.Errorf("at %s, what is staged (-before +after):\n%s", rel.Status.Step, diff)
	}
	w.expectWeights(divided(75, 25))
}

// Pods of the new version go bad under their first users: these go back before anything
// else is done.
func TestCanaryThatGoesBadUnderItsUsersIsWithdrawn(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(5, 5, 25))
	w.run()
	rel := w.await(w.submit("a"), "5 % of the users", has(5))
	g.holdInside(true)
	w.countRestarts(rel)
	rel = w.await(rel, "waits until users are gone", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseWithdraw
	})
	if f := rel.Status.Failure; f.Class != v1alpha1.FaultRelease || f.Reason != v1alpha1.FailedSoakRestarts || f.Step != v1alpha1.StepShift {
		t.Errorf("the failure is %+v", f)
	}
	w.expectWeights(divided(100, 0))
	w.expectSizes(1, 1)
	g.holdInside(false)
	w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.expectSizes(1, 0)
}

// A Gateway does not take a weight up: the next one never comes, and users go back.
func TestWeightThatIsNotTakenUpIsWithdrawn(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(5, 5, 25), manual, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Deadlines.Confirm.Duration = 3 * time.Second // the way back must be seen within it, too
	})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	g.holdInside(true)
	w.approve(rel)
	rel = w.await(rel, "the way back", func(r *v1alpha1.Release) bool { return r.LastWeight() != nil && r.LastWeight().Weight == 0 })
	if f := rel.Status.Failure; f.Class != v1alpha1.FaultWorld || f.Reason != v1alpha1.FailedWeight {
		t.Errorf("the failure is %+v", f)
	}
	rel = w.await(rel, "waits until users are gone", func(r *v1alpha1.Release) bool { return r.LastWeight().Generation != 0 })
	w.expectWeights(divided(100, 0))
	w.expectSizes(1, 1)
	g.holdInside(false)
	w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.expectSizes(1, 0)
}

// Users have seen it: a newer version waits until they have all of it, or none.
func TestNoNewerReleaseSupersedesACanaryThatHasUsers(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25, 50))
	w.source.commit("b", "a")
	w.run()
	a := w.await(w.submit("a"), "25 % of the users", has(25))
	w.lock("audit")
	a = w.awaitLocked(a, "audit")
	b := w.submit("b")
	w.await(b, "its turn", func(r *v1alpha1.Release) bool { return r.Status.Waiting != nil })
	w.look()
	if w.get(a); a.Status.Failure != nil || a.Status.Step != v1alpha1.StepShift {
		t.Errorf("it is at %s: %+v", a.Status.Step, a.Status.Failure)
	}
	w.expectWeights(divided(75, 25))
}

// What the API server refuses of a canary, and why.
func TestCanaryIsRefusedWhereItCannotWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct{ spec, want string }{
		"Ingress":      {`{"canary":{"steps":[{"weight":5,"for":"1m"}]}}`, "canary needs a gateway: an Ingress sends all users to one Service"},
		"no step":      {`{"gateway":{"route":"shop"},"canary":{"steps":[]}}`, "should have at least 1 items"},
		"smaller":      {`{"gateway":{"route":"shop"},"canary":{"steps":[{"weight":25,"for":"1m"},{"weight":5,"for":"1m"}]}}`, "each step needs"},
		"the same":     {`{"gateway":{"route":"shop"},"canary":{"steps":[{"weight":5,"for":"1m"},{"weight":5,"for":"1m"}]}}`, "each step needs"},
		"all of them":  {`{"gateway":{"route":"shop"},"canary":{"steps":[{"weight":100,"for":"1m"}]}}`, "less than or equal to 99"},
		"no time":      {`{"gateway":{"route":"shop"},"canary":{"steps":[{"weight":5,"for":"0s"}]}}`, "more than 0s"},
		"without time": {`{"gateway":{"route":"shop"},"canary":{"steps":[{"weight":5}]}}`, "name for or until"},
		"both ends":    {`{"gateway":{"route":"shop"},"canary":{"steps":[{"weight":5,"for":"1m","until":"Promote"}]}}`, "name for or until"},
	} {
		err := w.kube.Patch(t.Context(), w.application(), client.RawPatch(types.MergePatchType, []byte(`{"spec":`+tt.spec+`}`)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
