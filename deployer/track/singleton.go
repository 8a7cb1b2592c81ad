package track

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Singleton is a Deployment of which one pod at most may run, as observed. It has no colour.
type Singleton struct {
	WorkerSide

	// Recreate: its strategy ends the old pod before a new one starts.
	Recreate bool
}

// Stuck reports whether a pod has had its grace period, and is still there: no new one starts.
func (s Singleton) Stuck(now time.Time) bool {
	return s.Left > 0 && !s.LeftUntil.IsZero() && now.After(s.LeftUntil)
}

// SingletonsGet is the image, and the commit, of the version that users have at the end of a
// release.
func SingletonsGet(r *v1alpha1.Release) (image, commit string) {
	m := r.Status.Milestones
	switch {
	case r.Spec.Rollback != nil:
		return r.Spec.Rollback.To.Image, r.Spec.Rollback.To.Commit
	case WorkersGoTo(r) == m.Target:
		return m.Built.Image, r.Spec.Deploy.Commit
	}
	return m.Previous.Image, m.Previous.Commit
}
