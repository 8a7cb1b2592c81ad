package track

import (
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// If the answer to a patch was lost, or the process that sent it ended, the patch may still
// arrive.
func TestPatchMayBeOutWhileItIsIntendedAndNotSeen(t *testing.T) {
	intended := func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.SwitchIntendedAt = then() }
	switched := func(r *v1alpha1.Release, o *Observed) {
		r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt, o.Routes = then(), then(), routesTo(v1alpha1.Green)
	}
	fails := func(class v1alpha1.FailureClass) func(*v1alpha1.Release, *Observed) {
		return func(r *v1alpha1.Release, _ *Observed) { r.Status.Failure = &v1alpha1.Failure{Class: class} }
	}
	failed := fails(v1alpha1.FaultRelease)
	to := func(c v1alpha1.Color) func(*v1alpha1.Release, *Observed) {
		return func(_ *v1alpha1.Release, o *Observed) { o.Routes = routesTo(c) }
	}
	restored := func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.RestoredAt = then() }
	kept := func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.KeptAt = then() }
	rollback := func(r *v1alpha1.Release, _ *Observed) { r.Spec.Kind = v1alpha1.Rollback }
	nowhere := func(_ *v1alpha1.Release, o *Observed) { o.Routes = Routes{} }
	type change = func(*v1alpha1.Release, *Observed)
	for name, tt := range map[string]struct {
		changes []change
		want    bool
	}{
		"not intended":                            {nil, false},
		"intended":                                {[]change{intended}, true},
		"intended, and seen":                      {[]change{intended, to(v1alpha1.Green)}, false},
		"intended, and nobody knows":              {[]change{intended, nowhere}, false},
		"switched":                                {[]change{switched}, false},
		"switched, and taken back by somebody":    {[]change{switched, to(v1alpha1.Blue)}, false},
		"fails with the switch intended":          {[]change{intended, failed}, true},
		"fails before":                            {[]change{failed}, false},
		"fails after: a restore":                  {[]change{switched, failed}, true},
		"fails after: a restore that is seen":     {[]change{switched, failed, to(v1alpha1.Blue)}, false},
		"fails after: a restore that is made":     {[]change{switched, failed, restored}, false},
		"fails after, and users stay":             {[]change{switched, failed, kept}, false},
		"the world's trouble after":               {[]change{switched, fails(v1alpha1.FaultWorld)}, false},
		"a rollback that fails is never undone":   {[]change{rollback, switched, failed}, false},
		"a rollback that intends to move":         {[]change{rollback, intended}, true},
		"a rollback that intends, and that fails": {[]change{rollback, intended, failed}, true},
	} {
		r, o := ready()
		for _, c := range tt.changes {
			c(r, &o)
		}
		if got := PatchMayBeOut(r, o); got != tt.want {
			t.Errorf("%s: a patch may be in flight: %v, want %v", name, got, tt.want)
		}
	}
}

func TestOutcomeIsThatOfTheFailure(t *testing.T) {
	for class, want := range map[v1alpha1.FailureClass]v1alpha1.ReleasePhase{
		v1alpha1.FaultRelease: v1alpha1.ReleaseFailed, v1alpha1.FaultCancelled: v1alpha1.ReleaseCancelled,
		v1alpha1.FaultSuperseded: v1alpha1.ReleaseSuperseded, v1alpha1.FaultWorld: v1alpha1.ReleaseError,
		v1alpha1.FaultInterference: v1alpha1.ReleaseError,
	} {
		r := &v1alpha1.Release{}
		r.Status.Failure = &v1alpha1.Failure{Class: class, Message: "it rained"}
		if phase, message := Outcome(r); phase != want || message != "it rained" {
			t.Errorf("%s ends as %s, %q, want %s", class, phase, message, want)
		}
	}
	r := &v1alpha1.Release{}
	r.Status.Version = "v2"
	if phase, message := Outcome(r); phase != v1alpha1.ReleaseSucceeded || message != "users have v2" {
		t.Errorf("without a failure it ends as %s, %q", phase, message)
	}
}
