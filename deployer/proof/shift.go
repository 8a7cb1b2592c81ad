package proof

import (
	"maps"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// divisionPace is the time between two requests while users are divided. That may take hours,
// and an analysis counts these requests, too, so they are few.
const divisionPace = time.Second

// divisionWindow is how long [breachCount] new failures are a breach while users are divided:
// about as many requests as [breachWindow] has at the usual rate, since only some of them reach
// the new version.
const divisionWindow = 200 * time.Second

// shift holds the answers while users are divided. Those of both versions are among them.
type shift struct {
	part
	began       time.Time // zero: users are not divided
	alike       bool      // both versions may name themselves as the one before
	failedOf    map[string]int
	newFailures int
	recent      []time.Time
	breach      string
}

// holds reports whether an answer from before the switch belongs to it.
func (s *shift) holds(a Answer) bool { return !s.began.IsZero() && !a.EndedAt.Before(s.began) }

// Divide records that users are divided between both versions from now on. The answers so far
// are the baseline, with which those of the division and those after the switch are compared.
func (t *Tally) Divide(at time.Time) {
	if t.shift.began.IsZero() {
		t.shift.began = at
	}
}

// Alike records that the new version names itself as the one before, so that no answer shows which
// of them it came from.
func (t *Tally) Alike() { t.shift.alike = true }

// addDivided counts an answer while users are divided. A failure of the version that users had
// before is not the new one's. One that names no version may be, and so may every one if both
// versions have one name.
func (t *Tally) addDivided(a Answer) {
	s := &t.shift
	s.add(a)
	if a.Kind != Failed {
		return
	}
	if a.Version != "" {
		remember(&s.failedOf, a.Version, 1)
	}
	if !s.alike && t.toldApart() && t.before.versions[a.Version] > 0 || !moreOf(a.Failure, t.before, s.part) {
		return
	}
	s.newFailures++
	s.recent = append(s.recent, a.EndedAt)
	if len(s.recent) > breachCount {
		s.recent = s.recent[1:]
	}
	if len(s.recent) == breachCount &&
		slices.MaxFunc(s.recent, time.Time.Compare).Sub(slices.MinFunc(s.recent, time.Time.Compare)) <= divisionWindow {
		s.breach = a.Text
	}
}

// status has the counts; nil if users were not divided.
func (s *shift) status() *v1alpha1.ProofShift {
	if s.began.IsZero() {
		return nil
	}
	p := &v1alpha1.ProofShift{
		Requests: number(s.answered()), Failed: number(s.failed), Unseen: number(s.unseen), NewFailures: number(s.newFailures),
	}
	for _, v := range slices.Sorted(maps.Keys(s.versions)) {
		p.Versions = append(p.Versions, v1alpha1.ProofVersion{
			Version: v, Requests: number(s.versions[v]), Failed: number(s.failedOf[v]),
		})
	}
	return p
}

// resumeShift are the counts of a checkpoint. Which kinds of failure there were is lost, see
// [Resume]. [Tally.Divide] says again when it began.
func resumeShift(p *v1alpha1.ProofShift) shift {
	if p == nil {
		return shift{}
	}
	s := shift{newFailures: int(p.NewFailures)}
	s.served, s.failed, s.unseen = int(p.Requests-p.Failed), int(p.Failed), int(p.Unseen)
	for _, v := range p.Versions {
		remember(&s.versions, v.Version, int(v.Requests))
		if v.Failed > 0 {
			remember(&s.failedOf, v.Version, int(v.Failed))
		}
	}
	return s
}
