package track

import (
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Judged is when the metrics of the present step are judged: until it ends by its time, or ended by
// a promotion, and for as long after that as something holds it back, since users keep their share.
// From owed on a verdict is due: what holds the step back does not put that off, but a lock does,
// since it stops the clock.
func (l ShiftLook) Judged() (until, owed time.Time) {
	until = l.Last.EffectiveAt.Time
	owed = until
	i := slices.IndexFunc(l.Steps, func(s v1alpha1.CanaryStep) bool { return s.Weight == l.Last.Weight })
	if i >= 0 {
		until, _ = l.ends(l.Steps[i])
		owed = until
	}
	if i >= 0 && l.promoted() > 0 && l.PromotedAt.Before(until) {
		until = later(l.PromotedAt, l.Last.EffectiveAt.Time)
		if at := until.Add(l.locked()); at.Before(owed) { // with locks before the promotion: the record has only their sum
			owed = at
		}
	}
	if l.Blocked != nil {
		until = later(until, l.Now)
	}
	return until, owed
}

// locked is how long locks have stopped the clock of the present step.
func (l ShiftLook) locked() time.Duration {
	var all time.Duration
	if l.Last.Locked != nil {
		all = l.Last.Locked.Duration
	}
	if l.Last.LockedSince != nil {
		all += l.Now.Sub(l.Last.LockedSince.Time)
	}
	return all
}

// ends is when the target has had its last weight for long enough, or people have had time
// enough to promote it, without the time behind a lock.
func (l ShiftLook) ends(s v1alpha1.CanaryStep) (time.Time, *v1alpha1.Waiting) {
	length, waits := s.For.Duration, WaitsFor(v1alpha1.WaitsForShift, "")
	if s.Until == v1alpha1.UntilPromote {
		length, waits = l.Patience, WaitsFor(v1alpha1.WaitsForApproval, v1alpha1.BecauseStep)
	}
	return l.Last.EffectiveAt.Add(length + l.locked()), waits
}
