package track

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// FollowStep is what makes a worker follow users next, after the release that moved it.
type FollowStep string

// What makes a worker follow users next.
const (
	FollowNothing FollowStep = "Nothing" // it follows them, or there is nothing to return to
	FollowRecall  FollowStep = "Recall"  // its side with users is to be started
	FollowStart   FollowStep = "Start"   // that side does not work yet
	FollowDrain   FollowStep = "Drain"   // users may still reach the other side, and leave tasks in its queue
	FollowAsk     FollowStep = "Ask"     // nobody knows that the other side's queue is empty
	FollowStop    FollowStep = "Stop"    // the other side is to be stopped
)

// Departure is what is known about the side of a worker that users left.
type Departure struct {
	// Now is when it was known.
	Now time.Time

	// DrainedAt is until when front ends may send users there.
	DrainedAt time.Time

	// Reached is why users may still get there all the same; "" if they do not.
	Reached string

	// Queue is what its pods say of its queue.
	Queue QueueLook
}

// QueueLook is what the pods of a worker's side say of its queue. The zero value is that nobody
// asked them.
type QueueLook struct {
	// Empty: every pod says so.
	Empty bool

	// Left is why the queue is not empty; "" if it is, or if that is unknown.
	Left string

	// Unknown is why a pod could not be asked; it is no sign either way.
	Unknown string
}

// Next is the next step of a worker towards the users on a side; by is what the release wrote on
// workers, see [WorkersBy]. A side with a queue of its own is stopped only if, after the last user
// could reach it, every pod said that the queue is empty. Without a pod nobody works on it.
func (w Worker) Next(by string, live v1alpha1.Color, d Departure) FollowStep {
	to, from := w.Sides[live], w.Sides[live.Other()]
	switch {
	case w.Follows(by), !to.DeploymentExists: // somebody must do the work
		return FollowNothing
	case to.MovedBy != by:
		return FollowRecall
	case !to.Works():
		return FollowStart
	case !w.Queued:
		return FollowStop
	case d.Reached != "", d.Now.Before(d.DrainedAt): // also at size 0: KEDA starts it again when there are tasks
		return FollowDrain
	case from.Replicas > 0 && !d.Queue.Empty:
		return FollowAsk
	}
	return FollowStop
}

// State is why a side is kept, as a reason of [v1alpha1.ConditionWorkersKept], and what was seen.
func (d Departure) State() (reason, detail string) {
	switch {
	case d.Reached != "":
		return v1alpha1.ReasonInUse, d.Reached
	case d.Now.Before(d.DrainedAt):
		return v1alpha1.ReasonInUse, "the load balancer may send users there until " + Clock(d.DrainedAt)
	case d.Queue.Left != "":
		return v1alpha1.ReasonTasksLeft, d.Queue.Left
	case d.Queue.Unknown != "":
		return v1alpha1.ReasonQueueUnknown, d.Queue.Unknown
	}
	return v1alpha1.ReasonNotAsked, ""
}

// StopsWithRelease reports whether a release itself stops a side of a worker. A side with a queue
// of its own that users may have reached works on, until its queue is empty: that may take longer
// than any release.
func StopsWithRelease(r *v1alpha1.Release, w Worker, from v1alpha1.Color) bool {
	m := r.Status.Milestones
	reached := from != m.Target || m.SwitchIntendedAt != nil
	return !w.Queued || !reached
}

// Behind is the first worker of a release's target that has a queue of its own and has not ended, and
// that the release did not start itself; nil if there is none. The release's version must not take
// these tasks: another one left them.
func Behind(r *v1alpha1.Release, o Observed) *WorkerSide {
	for _, w := range o.Workers {
		if s := w.Sides[r.Status.Milestones.Target]; w.Queued && s.MovedBy != WorkersBy(r) && !s.Ended(o.Now) {
			return &s
		}
	}
	return nil
}
