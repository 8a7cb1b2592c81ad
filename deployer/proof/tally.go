package proof

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Kind is what an answer says of the application.
type Kind int

// What an answer says.
const (
	Served Kind = iota + 1 // users are served
	Failed                 // users are not
	Unseen                 // nothing
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

// Answer is what became of one request.
type Answer struct {
	SentAt, EndedAt time.Time
	Kind            Kind
	// Failure is which kind of failure it was, for Failed: a status such as "503",
	// or [BrokenConnection].
	Failure string
	// Version that the answer named; empty if it named none.
	Version string
	// Text says it to a person.
	Text string
}

// BrokenConnection is the failure of a connection that broke before an answer
// was complete.
const BrokenConnection = "broken connection"

const (
	// breachCount is how many new failures within breachWindow are a breach.
	breachCount  = 3
	breachWindow = 10 * time.Second
	// maxVersions bounds the versions and kinds of failure that are remembered. A
	// header with more values than this in a baseline is not one of versions.
	maxVersions = 8
	// maxText bounds a text from outside, in characters.
	maxText = 200
	// slowest is the longest time that is told of an answer.
	slowest = time.Minute
)

// Tally counts answers. The zero value is ready. It is not for concurrent use.
type Tally struct {
	startedAt, endedAt time.Time
	before, after      part
	switchedAt         time.Time
	newFailures        int
	recent             []time.Time // the ends of the last new failures, at most breachCount
	breach             string
	newVersion         string
	newInARow          int
	firstNew           time.Time
	lastOld            time.Time
	sawOld             bool // the old version since the switch, and not only before a part was lost
	lastFailure        string
	trouble            string
	interruptedAt      time.Time
	// times of answers in microseconds; nil where a part of them was lost.
	times *hdrhistogram.Histogram
}

// part is what was counted before the switch, or after it.
type part struct {
	served, failed, unseen int
	failures, versions     map[string]bool
}

func (p *part) add(a Answer) {
	switch a.Kind {
	case Served:
		p.served++
	case Failed:
		p.failed++
		remember(&p.failures, a.Failure)
	case Unseen:
		p.unseen++
	}
	if a.Version != "" {
		remember(&p.versions, a.Version)
	}
}

func remember(set *map[string]bool, value string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	if len(*set) <= maxVersions { // one more tells that there were too many
		(*set)[value] = true
	}
}

// Resume returns the tally that a checkpoint was made of. What was asked since
// is lost, and so are the times. A switch that was made is noted by
// [Tally.Switch] before.
func Resume(s v1alpha1.ProofStatus, switchedAt time.Time) *Tally {
	t := &Tally{switchedAt: switchedAt, newFailures: int(s.NewFailures), newVersion: s.NewVersion, lastFailure: s.LastFailure}
	if s.StartedAt != nil {
		t.startedAt = s.StartedAt.Time
	}
	t.interruptedAt = t.startedAt
	if s.EndedAt != nil {
		t.endedAt, t.interruptedAt = s.EndedAt.Time, s.EndedAt.Time
	}
	if s.InterruptedAt != nil { // not for the first time
		t.interruptedAt = s.InterruptedAt.Time
	}
	if b := s.Baseline; b != nil {
		t.before.served, t.before.failed = int(b.Requests-b.Failed), int(b.Failed)
		for _, failure := range b.Failures {
			remember(&t.before.failures, failure)
		}
		for _, version := range b.Versions {
			remember(&t.before.versions, version)
		}
	}
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

// Interrupt notes that nothing was asked for a time that ended now, without a
// checkpoint of it.
func (t *Tally) Interrupt(now time.Time) {
	if t.interruptedAt.IsZero() {
		t.interruptedAt = now
	}
	t.times = nil
}

// Add counts an answer.
func (t *Tally) Add(a Answer) {
	a.Text, a.Version = clean(a.Text), clean(a.Version)
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
	t.time(a)
	if t.switchedAt.IsZero() || a.EndedAt.Before(t.switchedAt) {
		t.before.add(a)
		return
	}
	t.after.add(a)
	if a.Kind == Failed && !t.before.failures[a.Failure] {
		t.fail(a)
	}
	if a.Version == "" || !t.toldApart() {
		return
	}
	if t.before.versions[a.Version] {
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
	// After an interruption the first answer says when the new version came only
	// if the old one was still seen.
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
	_ = t.times.RecordValue(took.Microseconds()) // it fails only out of the bounds
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
		t.breach = a.Text
	}
}

// Switch notes that traffic is about to move. Noted again, because it did not
// move then, what was answered meanwhile is of the time before.
func (t *Tally) Switch(at time.Time) {
	t.before.served += t.after.served
	t.before.failed += t.after.failed
	t.before.unseen += t.after.unseen
	for failure := range t.after.failures {
		remember(&t.before.failures, failure)
	}
	for version := range t.after.versions {
		remember(&t.before.versions, version)
	}
	t.after, t.switchedAt = part{}, at
	t.newFailures, t.recent, t.breach = 0, nil, ""
	t.newVersion, t.newInARow, t.firstNew, t.lastOld, t.sawOld = "", 0, time.Time{}, time.Time{}, false
}

// Forgive makes the failures since the switch old ones: they were those of the
// version that users were brought away from.
func (t *Tally) Forgive() {
	for failure := range t.after.failures {
		remember(&t.before.failures, failure)
	}
	t.newFailures, t.recent, t.breach = 0, nil, ""
}

func (t *Tally) toldApart() bool {
	n := len(t.before.versions)
	return n > 0 && n <= maxVersions
}

// Reading is where a tally stands.
type Reading struct {
	// Status has the numbers, without a result and a sentence.
	Status v1alpha1.ProofStatus
	// Switched: it was noted that traffic moved.
	Switched bool
	// Answered since the switch, and Unseen.
	Answered, Unseen int
	// ToldApart: versions are.
	ToldApart bool
	// NewInARow counts the new version's answers since the old one's last.
	NewInARow int
	// LastOld is when the old version answered last since the switch; zero if it
	// was not seen.
	LastOld time.Time
	// Breach says how the last of several new failures in a short time failed;
	// empty if there were none.
	Breach string
	// Trouble is the last thing that kept a request from telling anything.
	Trouble string
}

// Read returns where the tally stands.
func (t *Tally) Read() Reading {
	b, a := t.before, t.after
	s := v1alpha1.ProofStatus{
		StartedAt: moment(t.startedAt), EndedAt: moment(t.endedAt), InterruptedAt: moment(t.interruptedAt),
		Requests: number(b.served + b.failed + a.served + a.failed), Failed: number(b.failed + a.failed),
		Unseen: number(b.unseen + a.unseen), NewFailures: number(t.newFailures),
		NewVersion: t.newVersion, LastFailure: t.lastFailure,
	}
	if b.served+b.failed+len(b.versions)+len(b.failures) > 0 {
		s.Baseline = &v1alpha1.ProofBaseline{
			Requests: number(b.served + b.failed), Failed: number(b.failed),
			Failures: slices.Sorted(maps.Keys(b.failures)), Versions: slices.Sorted(maps.Keys(b.versions)),
		}
	}
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
	return Reading{
		Status: s, Switched: !t.switchedAt.IsZero(), Answered: a.served + a.failed, Unseen: a.unseen,
		ToldApart: t.toldApart(), NewInARow: t.newInARow, LastOld: t.lastOld,
		Breach: t.breach, Trouble: t.trouble,
	}
}

// Result is what the answers have shown, if no more are to come.
func (r Reading) Result() v1alpha1.ProofResult {
	switch s := r.Status; {
	case s.NewFailures > 0:
		return v1alpha1.ProofFailed
	case s.InterruptedAt != nil:
		return v1alpha1.ProofInterrupted
	case r.Unseen > 0:
		return v1alpha1.ProofInconclusive
	case r.Answered == 0:
		return v1alpha1.ProofNotObserved
	}
	return v1alpha1.ProofConfirmed
}

// As returns the status with a result, and the sentence that goes with it.
func (r Reading) As(result v1alpha1.ProofResult) *v1alpha1.ProofStatus {
	s := r.Status
	s.Result = result
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

// clean bounds a text from outside; what it holds is not trusted.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > maxText {
		return string(runes[:maxText-1]) + "…"
	}
	return s
}
