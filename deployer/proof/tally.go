package proof

import (
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/turnout-dev/turnout/internal/prose"
)

const (
	// breachCount is how many new failures within breachWindow are a breach.
	breachCount  = 3
	breachWindow = 10 * time.Second
	// slowest is the longest time that is recorded for an answer.
	slowest = time.Minute
)

// Tally counts answers. The zero value is ready. It is not for concurrent use.
type Tally struct {
	startedAt, endedAt time.Time
	before, after      part
	shift              shift // while users are divided, between the two
	forgiven           *part // the forgiven part of after; nil: none
	switchedAt         time.Time
	newFailures        int
	recent             []time.Time // the ends of the last new failures, at most breachCount
	breach             string
	breachFrom         time.Time // the first of the failures that are the breach
	newVersion         string
	newInARow          int
	firstNew           time.Time
	lastOld            time.Time
	sawOld             bool // the old version answered since the switch, and since any interruption
	lastFailure        string
	trouble            string
	interruptedAt      time.Time
	// times of answers in microseconds; nil if some of them were lost.
	times *hdrhistogram.Histogram
}

// Interrupt records that no requests were sent for a time that ends now, without a
// checkpoint of it.
func (t *Tally) Interrupt(now time.Time) {
	if t.interruptedAt.IsZero() {
		t.interruptedAt = now
	}
	t.times = nil
}

// Add counts an answer.
func (t *Tally) Add(a Answer) {
	a.Text, a.Version = prose.Line(a.Text, maxText), Version(a.Version)
	if t.startedAt.IsZero() || a.SentAt.Before(t.startedAt) {
		t.startedAt = a.SentAt
	}
	if a.EndedAt.After(t.endedAt) {
		t.endedAt = a.EndedAt
	}
	switch a.Kind {
	case Failed:
		t.lastFailure = a.Text
	case Unseen:
		t.trouble = a.Text
	case Served:
	}
	switch {
	case !t.switchedAt.IsZero() && !a.EndedAt.Before(t.switchedAt):
		t.time(a)
	case t.shift.holds(a):
		t.addDivided(a)
		return
	default:
		t.time(a)
		t.before.add(a)
		return
	}
	t.after.add(a)
	if a.Kind == Failed && t.isNew(a.Failure) {
		t.fail(a)
	}
	if a.Version == "" || !t.toldApart() {
		return
	}
	if t.before.versions[a.Version] > 0 {
		t.newInARow, t.sawOld = 0, true
		if a.EndedAt.After(t.lastOld) {
			t.lastOld = a.EndedAt
		}
		return
	}
	t.newInARow++
	if t.newVersion == "" {
		t.newVersion = a.Version
	}
	// After an interruption, the first answer shows when the new version appeared only if
	// the old one was still seen.
	if t.firstNew.IsZero() && (t.interruptedAt.IsZero() || t.sawOld) {
		t.firstNew = a.EndedAt
	}
}

func (t *Tally) time(a Answer) {
	if a.Kind == Unseen || !t.interruptedAt.IsZero() {
		return
	}
	if t.times == nil {
		t.times = hdrhistogram.New(1, slowest.Microseconds(), 3)
	}
	took := min(max(a.EndedAt.Sub(a.SentAt), time.Microsecond), slowest)
	_ = t.times.RecordValue(took.Microseconds()) // it fails only out of range
}

// isNew reports whether a kind of failure is new: it did not occur before, or clearly less
// often, so that the earlier rate does not explain the current one. A kind that made up a
// third of the answers before is never new.
func (t *Tally) isNew(failure string) bool { return moreOf(failure, t.reference(), t.since()) }

// reference holds the answers to compare with: those before the switch, and those that were
// forgiven.
func (t *Tally) reference() part {
	if t.forgiven == nil {
		return t.before
	}
	p := t.before.clone()
	p.join(*t.forgiven)
	return p
}

// since holds the answers after the switch that were not forgiven.
func (t *Tally) since() part {
	if t.forgiven == nil {
		return t.after
	}
	p := t.after.clone()
	p.served -= t.forgiven.served
	p.failed -= t.forgiven.failed
	for failure, n := range t.forgiven.failures {
		p.failures[failure] -= n
	}
	return p
}

// fail counts a new failure.
func (t *Tally) fail(a Answer) {
	t.newFailures++
	t.recent = append(t.recent, a.EndedAt)
	if len(t.recent) > breachCount {
		t.recent = t.recent[1:]
	}
	if len(t.recent) < breachCount {
		return
	}
	first, last := slices.MinFunc(t.recent, time.Time.Compare), slices.MaxFunc(t.recent, time.Time.Compare)
	if last.Sub(first) <= breachWindow {
		if t.breach == "" {
			t.breachFrom = first
		}
		t.breach = a.Text
	}
}

// Switch records that traffic is about to move. If it is called again because traffic did
// not move, the answers in between count as before the switch. But the versions in them are not
// known to be old: a patch that seemed lost may have taken effect a moment ago.
func (t *Tally) Switch(at time.Time) {
	if t.shift.began.IsZero() {
		between := t.after
		between.versions = nil
		t.before.join(between)
	} else { // both versions answered
		t.shift.join(t.after)
	}
	t.after, t.forgiven, t.switchedAt = part{}, nil, at
	t.newFailures, t.recent, t.breach, t.breachFrom = 0, nil, "", time.Time{}
	t.newVersion, t.newInARow, t.firstNew, t.lastOld, t.sawOld = "", 0, time.Time{}, time.Time{}, false
}

// Forgive turns the failures since the switch into old ones: they belong to the version that
// users were moved away from. Counting starts again. The old failures may continue for a while,
// where front ends lag. But if most answers from now on fail, the version that users were moved
// to fails as well; see [Reading.StillFailed].
func (t *Tally) Forgive() {
	p := t.after.clone()
	t.forgiven = &p
	t.newFailures, t.recent, t.breach, t.breachFrom = 0, nil, "", time.Time{}
}

func (t *Tally) toldApart() bool {
	n := len(t.before.versions)
	return n > 0 && n <= maxVersions
}
