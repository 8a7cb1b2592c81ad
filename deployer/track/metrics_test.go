package track

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

var usersHad = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

// watchOf judges one-minute windows during a soak of several minutes.
func watchOf(soak, lag time.Duration) MetricsWatch {
	return MetricsWatch{Began: usersHad, SoakEnds: usersHad.Add(soak), Window: time.Minute, Lag: lag, Deadline: 10 * time.Minute}
}

func booksOf(checks ...string) v1alpha1.AnalysisStatus {
	s := v1alpha1.AnalysisStatus{Began: metav1.NewMicroTime(usersHad), BeforeKnown: true}
	for _, name := range checks {
		s.Checks = append(s.Checks, v1alpha1.CheckStatus{Name: name, Failures: 2})
	}
	return s
}

// points are the verdicts of one check: P, F, or - for none.
func points(text string) []v1alpha1.CheckPoint {
	var all []v1alpha1.CheckPoint
	for _, c := range text {
		p := v1alpha1.CheckPoint{Verdict: map[rune]v1alpha1.Verdict{
			'P': v1alpha1.VerdictPass, 'F': v1alpha1.VerdictFail, '-': v1alpha1.VerdictNone,
		}[c]}
		if c == '-' {
			p.Because, p.Samples = v1alpha1.NoVerdictTooFew, "10"
		}
		all = append(all, p)
	}
	return all
}

// Each row is the result of every window for two checks. Each window is judged as soon as it can
// be.
func TestMetricsAreJudgedWindowByWindow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		soak    time.Duration
		lag     time.Duration
		windows []string
		want    MetricsOutcome
		after   time.Duration // from the soak's begin
	}{
		{"good throughout", 3 * time.Minute, 0, []string{"PP", "PP", "PP"}, MetricsHeld, 3 * time.Minute},
		{"a soak between two windows", 150 * time.Second, 0, []string{"PP", "PP"}, MetricsHeld, 2 * time.Minute},
		{"a soak shorter than a window", 30 * time.Second, 0, []string{"PP"}, MetricsHeld, time.Minute},
		{"metrics are late", 3 * time.Minute, 270 * time.Second, []string{"PP", "PP", "PP"}, MetricsHeld, 7*time.Minute + 30*time.Second},
		{"two failures in a row", 5 * time.Minute, 0, []string{"PP", "PF", "PF"}, MetricsFailed, 3 * time.Minute},
		{"failures of two checks", 5 * time.Minute, 0, []string{"PF", "FP", "PP", "PF", "PP"}, MetricsHeld, 5 * time.Minute},
		{"no verdict between two failures", 5 * time.Minute, 0, []string{"PF", "P-", "PF"}, MetricsFailed, 3 * time.Minute},
		{"a failure at the end is not the end", 2 * time.Minute, 0, []string{"PP", "PF", "PF"}, MetricsFailed, 3 * time.Minute},
		{"a failure at the end that passes", 2 * time.Minute, 0, []string{"PP", "PF", "PP"}, MetricsHeld, 3 * time.Minute},
		{"few samples at first", time.Minute, 0, []string{"P-", "P-", "PP"}, MetricsHeld, 3 * time.Minute},
		{"few samples later", 3 * time.Minute, 0, []string{"PP", "P-", "P-"}, MetricsHeld, 3 * time.Minute},
		{
			"few samples for ever", time.Minute, 0,
			slices.Repeat([]string{"P-"}, 11), MetricsUnseen, 11 * time.Minute,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, s := watchOf(tt.soak, tt.lag), booksOf("a", "b")
			now := usersHad
			for i, window := range tt.windows {
				v := w.Judge(s, now)
				if v.Outcome != MetricsAgain {
					t.Fatalf("before window %d: %+v", i, v)
				}
				end, due := w.Next(s)
				if want := usersHad.Add(time.Duration(i+1) * time.Minute); !end.Equal(want) || !due.Equal(want.Add(tt.lag)) {
					t.Fatalf("window %d ends %s and is due %s, want %s", i, end, due, want)
				}
				now = due
				s = w.Enter(s, end, points(window))
			}
			v := w.Judge(s, now)
			if v.Outcome != tt.want || now.Sub(usersHad) != tt.after {
				t.Errorf("after %s: %+v, want %d after %s", now.Sub(usersHad), v, tt.want, tt.after)
			}
			if (v.Check != nil) != (tt.want == MetricsFailed) || v.Check != nil && v.Check.Name != "b" {
				t.Errorf("the failed check is %+v", v.Check)
			}
			if tt.want == MetricsUnseen && !strings.Contains(v.Message, "b: too few samples (10)") {
				t.Errorf("it says %q", v.Message)
			}
		})
	}
}

// A window without an answer is asked for again, and does not count.
func TestMetricsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	w, s := watchOf(time.Minute, 0), booksOf("a")
	now := usersHad.Add(time.Minute)
	for v := w.Judge(s, now); v.Outcome == MetricsAgain; v = w.Judge(s, now) {
		if end, due := w.Next(s); !end.Equal(usersHad.Add(time.Minute)) || due.After(now) && due.Sub(now) != 15*time.Second {
			t.Fatalf("at %s the window that ends %s is due %s", now, end, due)
		}
		if !v.At.Equal(now) && s.UnseenSince == nil {
			t.Fatalf("at %s the next look is at %s", now, v.At)
		}
		s = w.Missed(s, now, "connection refused")
		next := w.Judge(s, now)
		if next.Outcome != MetricsAgain || !next.At.After(now) {
			t.Fatalf("at %s: %+v", now, next)
		}
		if next.Waits.Done != 0 || next.Waits.Of != 1 || !strings.Contains(next.Waits.Detail, "connection refused") {
			t.Fatalf("it waits for %+v", next.Waits)
		}
		now = next.At
	}
	if v := w.Judge(s, now); v.Outcome != MetricsUnseen || now.Sub(usersHad) != 11*time.Minute ||
		!strings.Contains(v.Message, "no metrics since 08:01:00 UTC") {
		t.Errorf("after %s: %+v", now.Sub(usersHad), v)
	}
	s = w.Enter(s, usersHad.Add(time.Minute), points("P"))
	if v := w.Judge(s, now); v.Outcome != MetricsHeld || s.UnseenSince != nil {
		t.Errorf("once answered: %+v, %+v", v, s)
	}
}

// A step that something holds back is judged on. Whoever has had a verdict is not late for another
// one, unless nothing can be had for as long as the deadline.
func TestMetricsOfAStepThatIsHeldBack(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return usersHad.Add(time.Duration(minutes) * time.Minute) }
	for name, tt := range map[string]struct {
		windows []string // one a minute
		unseen  int      // nothing was had since this minute; 0: all was
		now     int      // the step was over at 2, and the deadline is 12
		freed   bool     // nothing holds it back any more
		want    MetricsOutcome
	}{
		"all windows so far":                {windows: slices.Repeat([]string{"P"}, 30), now: 30, want: MetricsHeld},
		"the next window":                   {windows: slices.Repeat([]string{"P"}, 30), now: 31, want: MetricsAgain},
		"it fails long after its time":      {windows: append(slices.Repeat([]string{"P"}, 28), "F", "F"), now: 30, want: MetricsFailed},
		"it fails once long after its time": {windows: append(slices.Repeat([]string{"P"}, 29), "F"), now: 30, want: MetricsAgain},
		"few samples long after its time": {
			windows: append(slices.Repeat([]string{"P"}, 5), slices.Repeat([]string{"-"}, 20)...), now: 26, want: MetricsAgain,
		},
		"never a verdict, before the deadline": {windows: slices.Repeat([]string{"-"}, 11), now: 11, want: MetricsAgain},
		"never a verdict":                      {windows: slices.Repeat([]string{"-"}, 12), now: 12, want: MetricsUnseen},
		"away for a while":                     {windows: slices.Repeat([]string{"P"}, 20), unseen: 20, now: 29, want: MetricsAgain},
		"away":                                 {windows: slices.Repeat([]string{"P"}, 20), unseen: 20, now: 30, want: MetricsUnseen},
		"never asked":                          {unseen: 1, now: 12, want: MetricsUnseen},
		"free again":                           {windows: slices.Repeat([]string{"P"}, 30), now: 31, freed: true, want: MetricsHeld},
	} {
		w, s := watchOf(2*time.Minute, 0), booksOf("a")
		w.Owed = w.SoakEnds
		if !tt.freed {
			w.SoakEnds = at(tt.now)
		}
		for i, window := range tt.windows {
			s = w.Enter(s, at(i+1), points(window))
		}
		if tt.unseen > 0 {
			s = w.Missed(s, at(tt.unseen), "connection refused")
		}
		v := w.Judge(s, at(tt.now))
		if v.Outcome != tt.want || v.Outcome == MetricsAgain && v.At.Before(at(len(tt.windows))) {
			t.Errorf("%s: %+v, want %d", name, v, tt.want)
		}
	}
}

// One window counts once, and the record stays small.
func TestFailuresAreThoseOfWindows(t *testing.T) {
	t.Parallel()
	w, s := watchOf(time.Hour, 0), booksOf("a")
	s = w.Enter(s, usersHad.Add(time.Minute), points("F"))
	for range 5 { // looks
		if v := w.Judge(s, usersHad.Add(61*time.Second)); v.Outcome != MetricsAgain || s.Checks[0].Failed != 1 {
			t.Fatalf("it is judged %+v", v)
		}
	}
	for i := range 40 {
		s = w.Enter(s, usersHad.Add(time.Duration(i+2)*time.Minute), points("P"))
	}
	if n := len(s.Checks[0].Points); n != keptPoints || s.Checks[0].Verdicts != 41 {
		t.Errorf("%d points are kept of %d", n, s.Checks[0].Verdicts)
	}
}

func TestFailedChecksSayHow(t *testing.T) {
	t.Parallel()
	now, before := []v1alpha1.CheckPoint{{Value: "31", Samples: "105"}}, &v1alpha1.CheckPoint{Value: "2", Samples: "110"}
	for want, c := range map[string]v1alpha1.CheckStatus{
		"check errors failed 2 times in a row: 31 of 105 were errors in its last window, and 2 of 110 in the one before the switch": {
			Name: "errors", Failures: 2, Points: now, Other: before,
		},
		"check p failed once: the value is 31, and was 2 before the switch; it passes if value < 3.0": {
			Name: "p", Failures: 1, Points: now, Other: before, Pass: "value < 3.0",
		},
		"check p failed once: the value is 31; it passes if value < 3.0": {Name: "p", Failures: 1, Points: now, Pass: "value < 3.0"},
	} {
		if got := FailedCheck(c, 0); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Beside is another value than before: in a step of a canary the version beside it has none.
func TestCheckWithoutTheOtherValueSaysWhichOne(t *testing.T) {
	t.Parallel()
	for weight, want := range map[int32]string{
		0: "errors: there is no value from before the switch", 5: "errors: there is no value of the version beside it",
	} {
		s := booksOf("errors")
		s.Weight, s.Checks[0].Points = weight, []v1alpha1.CheckPoint{{Because: v1alpha1.NoVerdictNoOther}}
		if got := lacking(s); got != want {
			t.Errorf("at %d %%: %q, want %q", weight, got, want)
		}
	}
}
