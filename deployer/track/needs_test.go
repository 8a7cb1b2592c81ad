package track

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// What was never recorded does not hold, whatever is asked first.
func TestNothingRecordedHoldsNothing(t *testing.T) {
	r, o := ready()
	r.Status.Milestones = v1alpha1.Milestones{Target: v1alpha1.Green}
	for name, holds := range map[string]func(*v1alpha1.Release, Observed) bool{
		"runs what was staged": runsStaged, "runs at its size": RunsAtSize, "a fresh gate": gateFresh, "a gate that was asked": gateAsked,
		"a gate that passed before": passedBefore,
	} {
		if holds(r, o) {
			t.Errorf("%s holds for a release that has done nothing", name)
		}
	}
	r, o = ready()
	r.Status.Milestones.Staged = nil
	if gateFresh(r, o) {
		t.Error("a gate counts as fresh although nothing was staged")
	}
}

func TestGatepassedBeforeAPersonWasWaitedFor(t *testing.T) {
	r, o := ready()
	if passedBefore(r, o) {
		t.Error("no wait for a person is recorded")
	}
	r.Status.Milestones.Verified.AskAgain = true
	if !passedBefore(r, o) {
		t.Error("a pass that was renewed because a person was awaited does not count")
	}
	o.Now = epoch.Add(o.Freshness)
	if passedBefore(r, o) {
		t.Error("an old pass counts")
	}
}

// Front ends may send users to a colour for some time after they left it.
func TestTargetIsNotTouchedBeforeUsersHaveLeftIt(t *testing.T) {
	o := Observed{Now: epoch, DrainedAt: epoch.Add(time.Minute)}
	for name, tt := range map[string]struct {
		change func(*Observed)
		want   Wait
	}{
		"it drains": {func(*Observed) {}, Wait{
			Until: epoch.Add(time.Minute), Message: "waits until the last switch has drained, 00:01:00 UTC",
			Waits: WaitsUntil(v1alpha1.WaitsForDrain, "", epoch.Add(time.Minute)),
		}},
		"it has drained": {func(o *Observed) { o.Now = o.DrainedAt }, Wait{}},
		"nothing drains": {func(o *Observed) { o.DrainedAt = time.Time{} }, Wait{}},
		"nobody knows where users are": {func(o *Observed) { o.Unconfirmed = "no event came" }, Wait{
			Message: "waits until the load balancer takes up the last switch: no event came",
			Waits:   &v1alpha1.Waiting{For: v1alpha1.WaitsForTakeUp, Detail: "no event came"},
		}},
	} {
		o := o
		tt.change(&o)
		got := untouchable(o)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: the wait is (-want +got):\n%s", name, diff)
		}
		if got.Rests() != (tt.want.Message != "") {
			t.Errorf("%s: it rests: %v", name, got.Rests())
		}
	}
	if !(Wait{Until: epoch}).Rests() {
		t.Error("a wait for a time needs looks before that time")
	}
	for _, step := range []v1alpha1.Step{v1alpha1.StepAttach, v1alpha1.StepStage} {
		if after := RowOf(step).After; after == nil || !after(o).Rests() {
			t.Errorf("%s touches a target that drains", step)
		}
	}
}

// A time is cut to what the record keeps, or every look would write it anew.
func TestTimesOfTheRecordAreWholeSeconds(t *testing.T) {
	if Stamp(time.Time{}) != nil {
		t.Error("an event that has not happened has a time")
	}
	if got := Stamp(epoch.Add(1700 * time.Millisecond)); got == nil || !got.Time.Equal(epoch.Add(time.Second)) {
		t.Errorf("the time is %v", got)
	}
}

// A target's warmth depends on what this release has seen, not on another one.
func TestLookAtATargetIsThatOfItsRelease(t *testing.T) {
	r, o := ready()
	o.Routes.Standby = map[v1alpha1.Color][]Backend{v1alpha1.Green: {{}}}
	o.LeftAt, o.Settle, o.Groups, o.Target.Service = epoch, time.Second, []Group{{Port: 80}}, "green-svc"
	r.Status.Route = &v1alpha1.RouteStatus{Pokes: 3}
	want := WarmLook{
		Now: o.Now, Service: "green-svc", Pods: o.Target.Pods, Endpoints: o.Endpoints, Groups: o.Groups, LeftAt: epoch,
		Settle: time.Second, Referenced: true, Known: v1alpha1.RouteStatus{Pokes: 3},
	}
	expect := func(what string) {
		t.Helper()
		if diff := cmp.Diff(want, LookOf(r, o)); diff != "" {
			t.Errorf("%s: the look is (-want +got):\n%s", what, diff)
		}
	}
	expect("a deploy, referenced before")
	r.Spec.Kind, want.Rollback = v1alpha1.Rollback, true
	expect("a rollback")
	r.Status.Route.EventsBefore, want.Known.EventsBefore, want.Referenced = "e1", "e1", false
	expect("it had to make the reference")
	r.Status.Milestones.SwitchIntendedAt, want.Referenced = then(), true
	expect("it intends to switch: the reference was taken up")
	o.Routes.Standby, want.Referenced = nil, false
	expect("the reference is gone")
	r.Status.Route, want.Known = nil, v1alpha1.RouteStatus{}
	expect("nothing was seen yet")

	want.ToldAt, want.Freshness = r.Status.Milestones.WarmedAt.Time, o.Freshness
	if diff := cmp.Diff(want, lookAnew(r, o)); diff != "" {
		t.Errorf("the look that checks its age is (-want +got):\n%s", diff)
	}
	r.Status.Milestones.WarmedAt, want.ToldAt, want.Freshness = nil, time.Time{}, 0
	if diff := cmp.Diff(want, lookAnew(r, o)); diff != "" {
		t.Errorf("the look at a colour that was never warm is (-want +got):\n%s", diff)
	}
}
