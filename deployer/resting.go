package deployer

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// passing is how long a wait lasts until it is recorded. Most are over sooner, such as that for the
// EndpointSlice of pods that are ready, and a write would only delay what they wait for.
const passing = 250 * time.Millisecond

// rest records what a release waits for, once that has lasted. It records everything else at once.
func (d driving) rest(ctx context.Context, a *attempt) error {
	t := d.turns.turnOf(a, a.rel.Status.Step)
	if !onlyWaits(a.saved, &a.rel.Status) {
		t.waitsSince = time.Time{}
		return d.save(ctx, a)
	}
	if t.waitsSince.IsZero() {
		t.waitsSince = a.o.Now
	}
	if lasted := t.waitsSince.Add(passing); a.o.Now.Before(lasted) {
		a.wakeAt(lasted)
		return nil
	}
	t.waitsSince = time.Time{}
	return d.save(ctx, a)
}

// onlyWaits reports whether nothing has changed but what a release waits for. That its pods have come, and that
// it waits until their Service reaches them, counts as that, too: Kubernetes writes the one a few
// milliseconds after the other, and a record of it would delay the look that switches.
func onlyWaits(saved, now *v1alpha1.ReleaseStatus) bool {
	n := len(saved.Timeline)
	if equality.Semantic.DeepEqual(saved, now) || n == 0 {
		return false
	}
	saved, now = saved.DeepCopy(), now.DeepCopy()
	if havePodsOnly(saved, now) {
		now.Timeline = append(now.Timeline[:n-1], saved.Timeline[n-1])
		now.Step, now.Milestones.Staged, now.Route = saved.Step, nil, saved.Route
	}
	if len(now.Timeline) != n {
		return false
	}
	for _, st := range []*v1alpha1.ReleaseStatus{saved, now} {
		st.Message, st.Commands, st.Waiting, st.Timeline[n-1].Message = "", nil, nil, ""
	}
	return equality.Semantic.DeepEqual(saved, now)
}

// havePodsOnly reports whether a release went on from waiting for its pods to waiting for its Service.
func havePodsOnly(saved, now *v1alpha1.ReleaseStatus) bool {
	return (saved.Step == v1alpha1.StepStage || saved.Step == v1alpha1.StepSize) && now.Step == v1alpha1.StepWarm &&
		len(now.Timeline) == len(saved.Timeline)+1 && saved.Milestones.Staged == nil &&
		now.Waiting != nil && now.Waiting.Because == v1alpha1.BecauseEndpoints
}
