package proof

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Kind is what an answer shows about the application.
type Kind int

// The kinds of answers.
const (
	Served Kind = iota + 1 // users are served
	Failed                 // users are not served
	Unseen                 // it does not show that
)

// String names a kind as the metrics do.
func (k Kind) String() string {
	switch k {
	case Served:
		return "served"
	case Failed:
		return "failed"
	case Unseen:
		return "unseen"
	}
	return "unknown"
}

// Answer is the result of one request.
type Answer struct {
	SentAt, EndedAt time.Time
	Kind            Kind
	// Failure is the kind of failure, for Failed: a status such as "503",
	// [BrokenConnection] or [NoAnswer].
	Failure string
	// Version named in the answer; "" if there is none.
	Version string
	// Text describes it to a person.
	Text string
}

// Failures other than a status.
const (
	BrokenConnection = "broken connection" // it broke before an answer was complete
	NoAnswer         = "no answer"         // the connection was made, but no complete answer came in time
)

const (
	// clearly: more failures of a kind than this, plus as many times its earlier rate, are not
	// chance.
	clearly = 3
	// breachCount is how many new failures within breachWindow are a breach.
	breachCount  = 3
	breachWindow = 10 * time.Second
	// maxVersions bounds the recorded versions and kinds of failure. If a header has more values
	// than this in a baseline, it does not distinguish versions.
	maxVersions = 8
	// maxText bounds a foreign text, and maxVersion a version, in bytes of JSON.
	maxText    = 512
	maxVersion = 200
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

// part holds the counts from before the switch, or from after it.
type part struct {
	served, failed, unseen int
	failures, versions     map[string]int
}

func (p *part) answered() int { return p.served + p.failed }

func (p *part) add(a Answer) {
	switch a.Kind {
	case Served:
		p.served++
	case Failed:
		p.failed++
		remember(&p.failures, a.Failure, 1)
	case Unseen:
		p.unseen++
	}
	if a.Version != "" {
		remember(&p.versions, a.Version, 1)
	}
}

// join adds the counts of another part.
func (p *part) join(q part) {
	p.served += q.served
	p.failed += q.failed
	p.unseen += q.unseen
	for _, failure := range slices.Sorted(maps.Keys(q.failures)) {
		remember(&p.failures, failure, q.failures[failure])
	}
	for _, version := range slices.Sorted(maps.Keys(q.versions)) {
		remember(&p.versions, version, q.versions[version])
	}
}

func (p *part) clone() part {
	q := *p
	q.failures, q.versions = maps.Clone(p.failures), maps.Clone(p.versions)
	return q
}

func remember(counts *map[string]int, value string, n int) {
	if *counts == nil {
		*counts = map[string]int{}
	}
	if (*counts)[value] > 0 || len(*counts) <= maxVersions { // one more shows that there were too many
		(*counts)[value] += n
	}
}

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

// moreOf reports whether answers have clearly more of a kind of failure than earlier ones.
func moreOf(failure string, old, now part) bool {
	if old.failures[failure] == 0 {
		return true
	}
	rate := float64(old.failures[failure]) / float64(max(old.answered(), 1))
	return float64(now.failures[failure]) > clearly+clearly*rate*float64(now.answered())
}

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
// not move, the answers in between count as before the switch.
func (t *Tally) Switch(at time.Time) {
	if t.shift.began.IsZero() {
		t.before.join(t.after)
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

// Version is the version in a header's value; "" if the value is too long to record or cannot be
// shown. Versions are compared, so they are never shortened: two long ones may begin alike.
func Version(header string) string {
	if prose.Size(header) > maxVersion || prose.OneLine(header) != header {
		return ""
	}
	return header
}
