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
	if waits := kindOf(a.rel.Status.Waiting); t.waitsSince.IsZero() || waits != t.waits {
		t.waitsSince, t.waits = a.o.Now, waits
	}
	if lasted := t.waitsSince.Add(passing); a.o.Now.Before(lasted) {
		a.wakeAt(lasted)
		return nil
	}
	t.waitsSince = time.Time{}
	return d.save(ctx, a)
}

// kindOf is a wait without how far it is.
func kindOf(w *v1alpha1.Waiting) v1alpha1.Waiting {
	if w == nil {
		return v1alpha1.Waiting{}
	}
	return v1alpha1.Waiting{For: w.For, Because: w.Because}
}

// onlyWaits reports whether nothing has changed but what a release waits for.
func onlyWaits(saved, now *v1alpha1.ReleaseStatus) bool {
	n := len(now.Timeline)
	if equality.Semantic.DeepEqual(saved, now) || n == 0 || len(saved.Timeline) != n {
		return false
	}
	saved, now = saved.DeepCopy(), now.DeepCopy()
	for _, st := range []*v1alpha1.ReleaseStatus{saved, now} {
		st.Message, st.Commands, st.Waiting, st.Timeline[n-1].Message = "", nil, nil, ""
	}
	return equality.Semantic.DeepEqual(saved, now)
}
