package track

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Worker is a worker of the application, with its Deployment on each side.
type Worker struct {
	// Name of it, as in the spec.
	Name string

	// Repository of its image; "" for the application's.
	Repository string

	// Queued: each side has a queue of its own.
	Queued bool

	// Sides are its Deployments.
	Sides map[v1alpha1.Color]WorkerSide
}

// WorkerSide is one side of a worker as observed. It has no Service.
type WorkerSide struct {
	Side

	// MovedBy is who started or stopped it last, see [WorkersBy]; "" if Turnout did not.
	MovedBy string

	// Stopped is the size that it had when Turnout stopped it; 0 if it runs, or had none.
	Stopped int32

	// Left counts its pods that have not ended, of whatever version.
	Left int

	// LeftUntil is when the grace period of the last of them is over; zero as long as one of
	// them was not told to end.
	LeftUntil time.Time
}

// Works reports whether the side does its work: all of it is there, or its size is 0.
func (s WorkerSide) Works() bool { return s.DeploymentExists && (s.Replicas == 0 || s.RolledOut) }

// Ended reports whether the side does nothing any more: it is stopped, and its pods have ended,
// or had all of their grace period for it.
func (s WorkerSide) Ended(now time.Time) bool {
	return !s.DeploymentExists || s.Replicas == 0 && (s.Left == 0 || !s.LeftUntil.IsZero() && !now.Before(s.LeftUntil))
}

// size is the one that the side has, or had when it was stopped.
func (s WorkerSide) size() int32 {
	if s.Replicas > 0 {
		return s.Replicas
	}
	return s.Stopped
}

// WorkerSize is the size at which a side of a worker takes over from the other one, and at which
// a stopped side comes back: what it had, and at least what the other one has. 0 is a size, too.
func WorkerSize(to, from WorkerSide, back bool) int32 {
	size := from.size()
	if back || !from.DeploymentExists {
		size = max(size, to.size())
	}
	if size > 0 {
		size = max(size, to.Autoscaler.Min)
	}
	return to.Autoscaler.Allows(size)
}

// backSuffix distinguishes what undoes a release.
const backSuffix = " back"

// WorkersBy is what a release writes on the workers that it starts or stops. What an undo writes
// differs: a write of the release that it undoes must not pass for its own.
func WorkersBy(r *v1alpha1.Release) string {
	if r.Status.Failure != nil {
		return r.Name + backSuffix
	}
	return r.Name
}

// Undone reports whether a side of a worker was started or stopped by what undoes a mover: a
// write by the mover is late then.
func (s WorkerSide) Undone(by string) bool { return s.MovedBy == by+backSuffix }
