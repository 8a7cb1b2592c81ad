package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// WorkersGoTo is the side whose workers are to run at the end of a release: that of the users.
func WorkersGoTo(r *v1alpha1.Release) v1alpha1.Color {
	m := r.Status.Milestones
	if r.Status.Failure != nil && m.KeptAt == nil {
		return m.Target.Other()
	}
	return m.Target
}

// works reports whether the application has workers, or the release has begun to move them.
func works(r *v1alpha1.Release, o Observed) bool { return len(o.Workers) > 0 || workersMoved(r, o) }

// workersMoved reports whether the release may have started or stopped a worker.
func workersMoved(r *v1alpha1.Release, _ Observed) bool {
	return r.Status.Milestones.WorkersIntendedAt != nil
}

// exclusive reports whether the application has singletons or CronJobs, or the release has begun
// to change them.
func exclusive(r *v1alpha1.Release, o Observed) bool {
	return len(o.Singletons) > 0 || len(o.CronJobs) > 0 || changed(r, o)
}

// changed reports whether the release may have given a singleton or CronJob its image.
func changed(r *v1alpha1.Release, _ Observed) bool {
	return r.Status.Milestones.SingletonsIntendedAt != nil
}

// followed is also true once the soak has begun: a singleton that was added to the spec after
// that is the next release's.
func followed(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.SingletonsAt != nil || m.SoakStartedAt != nil
}

func followedBack(r *v1alpha1.Release) bool { return r.Status.Milestones.SingletonsBackAt != nil }

// handed is also true once users are to be switched: a worker that was added to the spec after
// that is the next release's.
func handed(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.WorkersAt != nil || m.SwitchIntendedAt != nil
}

func recalled(r *v1alpha1.Release) bool { return r.Status.Milestones.RecalledAt != nil }
func relieved(r *v1alpha1.Release) bool { return r.Status.Milestones.RelievedAt != nil }

// Follows reports whether a worker follows users after a release, by what it wrote: by is
// [WorkersBy]. A worker that it did not touch is not its own.
func (w Worker) Follows(by string) bool {
	touched, all := false, true
	for _, s := range w.Sides {
		touched = touched || s.MovedBy == by || s.MovedBy+backSuffix == by
		all = all && (!s.DeploymentExists || s.MovedBy == by)
	}
	return !touched || all
}

// Idle returns the first worker of a side that does not do its work yet.
func (o Observed) Idle(c v1alpha1.Color) (WorkerSide, bool) {
	for _, w := range o.Workers {
		if s := w.Sides[c]; !s.Works() {
			return s, true
		}
	}
	return WorkerSide{}, false
}

// EndCommit is the commit of the version that users have at the end of a release; "" if unknown.
func EndCommit(r *v1alpha1.Release) string {
	switch {
	case r.Spec.Rollback != nil:
		return r.Spec.Rollback.To.Commit
	case EndsForward(r):
		return r.Spec.Deploy.Commit
	}
	return r.Status.Milestones.Previous.Commit
}

// EndsForward reports whether users have the version that a release built at its end.
func EndsForward(r *v1alpha1.Release) bool {
	return r.Spec.Deploy != nil && WorkersGoTo(r) == r.Status.Milestones.Target
}
