package track

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// keptPoints is how many of a metric's newest windows the record keeps.
const keptPoints = 12

// MetricsWatch is when a release's metrics are judged: window by window, from the time that users
// got the new version.
type MetricsWatch struct {
	Began    time.Time     // start of the first window
	SoakEnds time.Time     // windows until then are judged, at least one
	Window   time.Duration // length of one, and the time to the next
	Lag      time.Duration // from the end of a window until its metrics are complete
	Deadline time.Duration // after Owed, for a verdict on every check
	// Owed is from when on a verdict on every check is due; zero: the end of the soak. After it
	// more windows are judged only while something holds a step back.
	Owed time.Time
	// Weight of the canary's step that is judged in place of the soak; 0 for the soak.
	Weight int32
}

// MetricsOutcome is the state of the judgement.
type MetricsOutcome int

// The states of the judgement.
const (
	MetricsAgain  MetricsOutcome = iota + 1 // more windows to judge
	MetricsHeld                             // all windows judged; every check passed its last one
	MetricsFailed                           // a check failed too often in a row
	MetricsUnseen                           // the deadline came before every check had a verdict
)

// MetricsVerdict is the conclusion from the windows judged so far.
type MetricsVerdict struct {
	Outcome MetricsOutcome
	At      time.Time             // of the next look, for MetricsAgain
	Check   *v1alpha1.CheckStatus // that failed
	Waits   *v1alpha1.Waiting     // for MetricsAgain, once the soak is over
	Message string                // for a person: what is missing
}

// Next returns the end of the next window, and when that window can be judged.
func (w MetricsWatch) Next(s v1alpha1.AnalysisStatus) (end, due time.Time) {
	end = w.Began
	if s.Asked != nil {
		end = s.Asked.Time
	}
	end = end.Add(w.Window)
	due = end.Add(w.Lag)
	if s.LastTryAt != nil && s.UnseenSince != nil {
		due = later(due, s.LastTryAt.Add(w.retry()))
	}
	return end, due
}

// retry is the pause after an attempt without an answer.
func (w MetricsWatch) retry() time.Duration { return min(max(w.Window/4, time.Second), 30*time.Second) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// over is the deadline for a verdict.
func (w MetricsWatch) over() time.Time { return w.owed().Add(w.Deadline) }

func (w MetricsWatch) owed() time.Time {
	if w.Owed.IsZero() {
		return w.SoakEnds
	}
	return w.Owed
}

// late reports whether the deadline has passed without the verdict that was due. A step that is held
// back goes on beyond it if every check has had one, as long as metrics can be had.
func (w MetricsWatch) late(s v1alpha1.AnalysisStatus, now time.Time) bool {
	switch {
	case now.Before(w.over()):
		return false
	case !w.SoakEnds.After(w.owed()), s.Asked == nil:
		return true
	case s.UnseenSince != nil && now.Sub(s.UnseenSince.Time) >= w.Deadline:
		return true
	}
	return slices.ContainsFunc(s.Checks, func(c v1alpha1.CheckStatus) bool { return c.Verdicts == 0 })
}

// Enter records the points of a window, one per check. A failure counts once for its window,
// however often the window is judged.
func (w MetricsWatch) Enter(prev v1alpha1.AnalysisStatus, end time.Time, points []v1alpha1.CheckPoint) v1alpha1.AnalysisStatus {
	s := *prev.DeepCopy()
	s.Asked, s.UnseenSince, s.LastTryAt, s.Unseen = new(metav1.NewMicroTime(end)), nil, nil, ""
	for i, p := range points {
		c := &s.Checks[i]
		switch p.Verdict {
		case v1alpha1.VerdictPass:
			c.Failed = 0
			c.Verdicts++
		case v1alpha1.VerdictFail:
			c.Failed++
			c.Verdicts++
		case v1alpha1.VerdictNone:
		}
		c.Points = append(c.Points, p)
		c.Points = c.Points[max(0, len(c.Points)-keptPoints):]
	}
	return s
}

// Missed records that there was no answer.
func (w MetricsWatch) Missed(prev v1alpha1.AnalysisStatus, now time.Time, why string) v1alpha1.AnalysisStatus {
	s := *prev.DeepCopy()
	at := metav1.NewMicroTime(now)
	if s.UnseenSince == nil {
		s.UnseenSince = &at
	}
	s.LastTryAt, s.Unseen = &at, why
	return s
}

// Judge draws the conclusion from the record.
func (w MetricsWatch) Judge(s v1alpha1.AnalysisStatus, now time.Time) MetricsVerdict {
	for i := range s.Checks {
		if c := &s.Checks[i]; c.Failed >= c.Failures {
			return MetricsVerdict{Outcome: MetricsFailed, Check: c}
		}
	}
	end, due := w.Next(s)
	if s.Asked != nil && end.After(w.SoakEnds) && len(unsettled(s)) == 0 {
		return MetricsVerdict{Outcome: MetricsHeld}
	}
	if w.late(s, now) {
		return MetricsVerdict{Outcome: MetricsUnseen, Message: lacking(s)}
	}
	at := due
	if over := w.over(); over.After(now) && over.Before(at) {
		at = over
	}
	return MetricsVerdict{
		Outcome: MetricsAgain, At: at, Waits: w.waits(s),
		Message: strings.TrimSuffix("metrics are judged until "+Clock(w.over())+": "+lacking(s), ": "),
	}
}

// unsettled are the checks that have no verdict yet or failed their last window.
func unsettled(s v1alpha1.AnalysisStatus) []v1alpha1.CheckStatus {
	var all []v1alpha1.CheckStatus
	for _, c := range s.Checks {
		if c.Verdicts == 0 || c.Failed > 0 {
			all = append(all, c)
		}
	}
	return all
}

// waits lists, as data, the checks without a verdict.
func (w MetricsWatch) waits(s v1alpha1.AnalysisStatus) *v1alpha1.Waiting {
	what := v1alpha1.WaitsForSoak
	if w.Weight > 0 {
		what = v1alpha1.WaitsForShift
	}
	waits := WaitsUntil(what, v1alpha1.BecauseMetrics, w.over())
	waits.Of = int32(len(s.Checks))
	waits.Done = waits.Of - int32(len(unsettled(s)))
	waits.Since, waits.Detail = Stamp(w.owed()), lacking(s)
	return waits
}

// lacking names the checks without a verdict, and why; empty if only windows are outstanding.
func lacking(s v1alpha1.AnalysisStatus) string {
	if s.UnseenSince != nil {
		return fmt.Sprintf("no metrics since %s: %s", Clock(s.UnseenSince.Time), s.Unseen)
	}
	var all []string
	for _, c := range unsettled(s) {
		all = append(all, c.Name+": "+lacks(c, s.Weight > 0))
	}
	return strings.Join(slices.Compact(all), "; ")
}

// lacks says why a check has no verdict; beside: it is judged against the version beside it, in a
// step of a canary.
func lacks(c v1alpha1.CheckStatus, beside bool) string {
	if c.Failed > 0 {
		return fmt.Sprintf("failed %d of %d times", c.Failed, c.Failures)
	}
	if len(c.Points) == 0 {
		return "no window judged yet"
	}
	p := c.Points[len(c.Points)-1]
	noOther := "there is no value from before the switch"
	if beside {
		noOther = "there is no value of the version beside it"
	}
	text := map[v1alpha1.NoVerdictReason]string{
		v1alpha1.NoVerdictTooFew:      "too few samples (" + string(p.Samples) + ")",
		v1alpha1.NoVerdictEmpty:       "the query found nothing",
		v1alpha1.NoVerdictNotFinite:   "the query found no finite number",
		v1alpha1.NoVerdictNoOther:     noOther,
		v1alpha1.NoVerdictRefused:     "the query was refused",
		v1alpha1.NoVerdictUnreachable: "the server did not answer",
		v1alpha1.NoVerdictExpression:  "pass has no result",
		v1alpha1.NoVerdictUnknown:     "the query cannot be asked",
	}[p.Because]
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// FailedCheck describes to a person how a check failed, in the soak or at a canary's weight.
func FailedCheck(c v1alpha1.CheckStatus, weight int32) string {
	times := "once"
	if c.Failures > 1 {
		times = fmt.Sprintf("%d times in a row", c.Failures)
	}
	var now, before v1alpha1.CheckPoint
	if n := len(c.Points); n > 0 {
		now = c.Points[n-1]
	}
	if c.Other != nil {
		before = *c.Other
	}
	if weight > 0 {
		return failedBeside(c, now, before, times, weight)
	}
	if c.Pass == "" {
		return fmt.Sprintf("check %s failed %s: %s of %s were errors in its last window, and %s of %s in the one before the switch", c.Name,
			times,
			now.Value, now.Samples, before.Value, before.Samples)
	}
	text := fmt.Sprintf("check %s failed %s: the value is %s", c.Name, times, now.Value)
	if before.Value != "" {
		text += ", and was " + string(before.Value) + " before the switch"
	}
	return text + "; it passes if " + c.Pass
}

// failedBeside says how a check failed against the version that has the other users.
func failedBeside(c v1alpha1.CheckStatus, now, beside v1alpha1.CheckPoint, times string, weight int32) string {
	text := fmt.Sprintf("at %d %% of the users, check %s failed %s: ", weight, c.Name, times)
	if c.Pass == "" {
		return text + fmt.Sprintf("%s of %s were errors in its last window, and %s of %s of the version beside it", now.Value, now.Samples,
			beside.Value, beside.Samples)
	}
	text += fmt.Sprintf("the value is %s", now.Value)
	if beside.Value != "" {
		text += ", and is " + string(beside.Value) + " for the version beside it"
	}
	return text + "; it passes if " + c.Pass
}
