package proof

import (
	"maps"
	"math"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Resume returns the tally that a checkpoint came from. Everything since is lost, and so are the
// times and the number of failures of each kind. Each kind counts as all failures of the
// baseline, and as no failure since, so that a lost count cannot move traffic back. If traffic
// was switched, [Tally.Switch] was called before.
func Resume(s v1alpha1.ProofStatus, switchedAt time.Time) *Tally {
	t := &Tally{switchedAt: switchedAt, newFailures: int(s.NewFailures), newVersion: s.NewVersion, lastFailure: s.LastFailure}
	if s.StartedAt != nil {
		t.startedAt = s.StartedAt.Time
	}
	t.interruptedAt = t.startedAt
	if s.EndedAt != nil {
		t.endedAt, t.interruptedAt = s.EndedAt.Time, s.EndedAt.Time
	}
	if s.InterruptedAt != nil { // interrupted before
		t.interruptedAt = s.InterruptedAt.Time
	}
	if b := s.Baseline; b != nil {
		t.before.served, t.before.failed = int(b.Requests-b.Failed), int(b.Failed)
		for _, failure := range b.Failures {
			n := int(b.Failed)
			if n == 0 { // forgiven
				n = int(max(b.Requests, 1))
			}
			remember(&t.before.failures, failure, n)
		}
		for _, version := range b.Versions {
			remember(&t.before.versions, version, 1)
		}
	}
	t.shift = resumeShift(s.Shift)
	t.after.failed = int(s.Failed) - t.before.failed
	t.after.served = int(s.Requests-s.Failed) - t.before.served
	t.after.unseen = int(s.Unseen)
	if !switchedAt.IsZero() {
		if s.NewVersionAfter != nil {
			t.firstNew = switchedAt.Add(s.NewVersionAfter.Duration)
		}
		if s.OldVersionUntil != nil {
			t.lastOld = switchedAt.Add(s.OldVersionUntil.Duration)
		}
	}
	return t
}

// Reading is the state of a tally.
type Reading struct {
	// Status has the numbers, without a result and a sentence.
	Status v1alpha1.ProofStatus
	// Switched: Switch was called.
	Switched bool
	// Answered and Unseen since the switch.
	Answered, Unseen int
	// ToldApart: the header distinguishes versions.
	ToldApart bool
	// NewInARow counts the new version's answers since the old one's last answer.
	NewInARow int
	// LastOld is when the old version last answered since the switch; zero if it did not.
	LastOld time.Time
	// Breach describes the last of several new failures within a short time; "" if there was no
	// such burst.
	Breach string
	// BreachFrom is the time of the first of these failures; zero without a breach.
	BreachFrom time.Time
	// StillFailed counts the failures since Forgive, if most requests have failed since;
	// otherwise it is 0.
	StillFailed int
	// ShiftBreach is the same while users are divided.
	ShiftBreach string
	// Trouble is the last reason why a request showed nothing.
	Trouble string
}

// Read returns the state of the tally.
func (t *Tally) Read() Reading {
	b, a := t.before, t.after
	s := v1alpha1.ProofStatus{
		StartedAt: moment(t.startedAt), EndedAt: moment(t.endedAt), InterruptedAt: moment(t.interruptedAt),
		Requests: number(b.served + b.failed + a.served + a.failed), Failed: number(b.failed + a.failed),
		Unseen: number(b.unseen + a.unseen), NewFailures: number(t.newFailures),
		NewVersion: t.newVersion, LastFailure: t.lastFailure,
	}
	if failures := t.reference().failures; b.answered()+len(b.versions)+len(failures) > 0 {
		s.Baseline = &v1alpha1.ProofBaseline{
			Requests: number(b.served + b.failed), Failed: number(b.failed),
			Failures: slices.Sorted(maps.Keys(failures)), Versions: slices.Sorted(maps.Keys(b.versions)),
		}
	}
	s.Shift = t.shift.status()
	if !t.firstNew.IsZero() {
		s.NewVersionAfter = span(t.firstNew.Sub(t.switchedAt))
	}
	if !t.lastOld.IsZero() && (t.interruptedAt.IsZero() || t.sawOld) {
		s.OldVersionUntil = span(t.lastOld.Sub(t.switchedAt))
	}
	if t.times != nil && t.times.TotalCount() > 0 && t.interruptedAt.IsZero() {
		at := func(micros int64) *metav1.Duration { return span(time.Duration(micros) * time.Microsecond) }
		s.P50, s.P99, s.Max = at(t.times.ValueAtQuantile(50)), at(t.times.ValueAtQuantile(99)), at(t.times.Max())
	}
	stillFailed := 0
	if now := t.since(); t.forgiven != nil && now.failed > now.served {
		stillFailed = now.failed
	}
	return Reading{
		Status: s, Switched: !t.switchedAt.IsZero(), Answered: a.answered(), Unseen: a.unseen, StillFailed: stillFailed,
		ToldApart: t.toldApart(), NewInARow: t.newInARow, LastOld: t.lastOld,
		Breach: t.breach, BreachFrom: t.breachFrom, ShiftBreach: t.shift.breach, Trouble: t.trouble,
	}
}

// Result is the conclusion, if no more answers come.
func (r Reading) Result() v1alpha1.ProofResult {
	switch s := r.Status; {
	case s.NewFailures > 0, r.StillFailed > 0, s.Shift != nil && s.Shift.NewFailures > 0:
		return v1alpha1.ProofFailed
	case s.InterruptedAt != nil:
		return v1alpha1.ProofInterrupted
	case r.Unseen > 0, s.Shift != nil && s.Shift.Unseen > 0:
		return v1alpha1.ProofInconclusive
	case r.Answered == 0:
		return v1alpha1.ProofNotObserved
	}
	return v1alpha1.ProofConfirmed
}

// As returns the status with a result, and the matching sentence.
func (r Reading) As(result v1alpha1.ProofResult) *v1alpha1.ProofStatus {
	s := r.Status
	s.Result = result
	if result == v1alpha1.ProofFailed {
		s.NewFailures = max(s.NewFailures, number(r.StillFailed))
	}
	s.Message = Sentence(s, r.Trouble)
	return &s
}

func moment(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	m := metav1.NewMicroTime(t)
	return &m
}

func span(d time.Duration) *metav1.Duration {
	return &metav1.Duration{Duration: max(d, 0).Round(100 * time.Microsecond)}
}

func number(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) } //nolint:gosec // bounded
