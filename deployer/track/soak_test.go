package track

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A letter is a look, one every 10 seconds from the start of a soak of 2 minutes: g good, b bad,
// x impossible, r good with one more restart, R good with the restarts of one pod less, . not
// made at all.
func TestSoakIsJudgedByItsLooks(t *testing.T) {
	const good = "ggggggggggg" // the looks before the end of the soak
	for _, c := range []struct {
		name, looks string
		outcome     SoakOutcome
		message     string // a part of it
		extended    int32
	}{
		{name: "under way", looks: "ggg", outcome: SoakAgain, message: "soaks until 09:02:00 UTC"},
		{name: "not seen right before the end", looks: good + "x", outcome: SoakAgain},
		{name: "bad after two extensions that nobody saw", looks: strings.Repeat("x", 36) + "b", outcome: SoakAgain, extended: 2},
		{name: "held", looks: good + "gg", outcome: SoakHeld, message: "held under live traffic for 2m0s"},
		{name: "nobody looked but at the end", looks: "............g", outcome: SoakHeld},
		{name: "bad for less than 30 s", looks: "gbbbg", outcome: SoakAgain},
		{name: "bad for 30 s", looks: "gbbbb", outcome: SoakFailed, message: "unhealthy under live traffic for 30s: pod a: answered 500"},
		{name: "bad in between", looks: "gbbbgbbbgbbbg", outcome: SoakHeld},
		{
			name: "bad at the end is not held", looks: good + "bb", outcome: SoakAgain,
			message: "unhealthy since 09:01:50 UTC: pod a: answered 500",
		},
		{name: "bad over the end", looks: good + "bbbb", outcome: SoakFailed},
		{name: "bad at the end and good again", looks: good + "bbg", outcome: SoakHeld},
		{name: "not seen is not good: bad goes on", looks: "gbxxb", outcome: SoakFailed},
		{name: "not seen is not bad", looks: "gbxxxxx", outcome: SoakAgain, message: "could not check the live pods since 09:00:10 UTC: 503"},
		{name: "not seen in the middle", looks: "gxxxxxxxxxxgg", outcome: SoakHeld},
		{name: "not seen at the very end only", looks: good + "gx", outcome: SoakHeld},
		{
			name: "not seen in the last part", looks: "ggggggggxxxxx", outcome: SoakAgain, extended: 1,
			message: "soaks until 09:04:00 UTC, extended 1 of 2 times; could not check the live pods since 09:01:00 UTC: 503",
		},
		{name: "bad when last seen", looks: good + "bx", outcome: SoakAgain, extended: 1},
		{name: "seen again in the extension", looks: "ggggggggxxxxx" + "xxgggggggggg", outcome: SoakHeld, extended: 1, message: "for 4m0s"},
		{name: "bad in the extension", looks: "ggggggggxxxxx" + "bbbb", outcome: SoakFailed, extended: 1},
		{name: "never seen", looks: strings.Repeat("x", 13) + strings.Repeat("x", 12), outcome: SoakAgain, extended: 2},
		{
			name: "never seen to the end", looks: strings.Repeat("x", 13) + strings.Repeat("x", 24), outcome: SoakUnseen, extended: 2,
			message: "could not check the live pods since 09:00:00 UTC, at the end of the soak and of 2 extensions: 503",
		},
		{
			name: "nobody was there to look", looks: "g" + strings.Repeat(".", 100) + "x", outcome: SoakAgain, extended: 1,
			message: "soaks until 09:18:50 UTC",
		},
		{name: "one restart", looks: "gr" + good, outcome: SoakHeld},
		{name: "two restarts", looks: "grgr", outcome: SoakCrashed, message: "2 times"},
		{name: "restarts of a pod that is gone", looks: "gRrr", outcome: SoakCrashed},
		{name: "two restarts unseen", looks: "grxr", outcome: SoakCrashed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, v := playSoak(t, c.looks)
			if v.Outcome != c.outcome || s.Extended != c.extended || !strings.Contains(v.Message, c.message) {
				t.Errorf("outcome %d, extended %d, %q; want %d, %d, %q", v.Outcome, s.Extended, v.Message, c.outcome, c.extended, c.message)
			}
			if (v.Outcome == SoakFailed) != (v.Evidence != nil) {
				t.Errorf("outcome %d with evidence %v", v.Outcome, v.Evidence)
			}
		})
	}
}

var (
	soakBegan = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	soakOf    = SoakWatch{Began: soakBegan, Length: 2 * time.Minute, Interval: 10 * time.Second}
)

// playSoak makes the looks and returns the status and the verdict after the last one. No earlier
// verdict may be final.
func playSoak(t *testing.T, looks string) (s v1alpha1.SoakStatus, v SoakVerdict) {
	t.Helper()
	const before = 4 // restarts
	s.Restarts = before
	l := SoakLook{Restarts: before}
	for i, letter := range looks {
		l.At = soakBegan.Add(time.Duration(i) * soakOf.Interval)
		l.Problem, l.Unseen = nil, nil
		switch letter {
		case '.':
			continue
		case 'b':
			l.Problem = &v1alpha1.Evidence{Pod: "a", Message: "pod a: answered 500"}
		case 'x':
			l.Unseen = errors.New("503")
		case 'r':
			l.Restarts++
		case 'R':
			l.Restarts = 0
		}
		if i > 0 && v.Outcome > SoakAgain {
			t.Fatalf("look %d of %s: an early verdict: %+v", i, looks, v)
		}
		prev := s.DeepCopy()
		s, v = soakOf.Step(*prev, l)
		if v.Outcome == SoakAgain {
			judgeWait(t, fmt.Sprintf("look %d of %s", i, looks), s, v, l)
		}
		if l.Unseen == nil && (s.UnseenSince != nil || l.Problem == nil && s.FailingSince != nil) {
			t.Errorf("look %d of %s: the soak's record is %+v", i, looks, s)
		}
	}
	return s, v
}

// judgeWait checks a verdict that calls for another look: the look is later, and the wait is
// described.
func judgeWait(t *testing.T, name string, s v1alpha1.SoakStatus, v SoakVerdict, l SoakLook) {
	t.Helper()
	if !v.At.After(l.At) {
		t.Errorf("%s: the next look is due at %v, this one was at %v", name, v.At, l.At)
	}
	want := WaitsUntil(v1alpha1.WaitsForSoak, "", soakOf.end(s))
	switch {
	case l.Unseen != nil:
		want.Because, want.Since, want.Detail = v1alpha1.BecauseUnseen, Stamp(s.UnseenSince.Time), "503"
	case l.Problem != nil:
		want.Because, want.Since, want.Detail = v1alpha1.BecauseUnhealthy, Stamp(s.FailingSince.Time), "pod a: answered 500"
	}
	if diff := cmp.Diff(want, v.Waits); diff != "" {
		t.Errorf("%s: it waits for (-want +got):\n%s", name, diff)
	}
	if strings.Contains(v.Message, "extended") != (s.Extended > 0) {
		t.Errorf("%s: extended %d times, the message is %q", name, s.Extended, v.Message)
	}
}

// The next look is due after the interval, or at the end if that is sooner. A look after the end
// does not go back to it.
func TestNextLookOfASoakIsAtItsEnd(t *testing.T) {
	at := func(s int) time.Time { return soakBegan.Add(time.Duration(s) * time.Second) }
	books := func(s int) v1alpha1.SoakStatus {
		return v1alpha1.SoakStatus{LastLookAt: &metav1.MicroTime{Time: at(s)}}
	}
	for now, want := range map[int]int{0: 10, 100: 110, 105: 115, 110: 120, 113: 120, 121: 131} {
		_, v := soakOf.Step(v1alpha1.SoakStatus{}, SoakLook{At: at(now), Problem: &v1alpha1.Evidence{}})
		if !v.At.Equal(at(want)) {
			t.Errorf("after a look at %d s the next is due at %s, want at %d s", now, v.At, want)
		}
		if want = min(want, 120); !soakOf.NextAt(books(now)).Equal(at(want)) {
			t.Errorf("by its record after %d s the soak is due at %s, want at %d s", now, soakOf.NextAt(books(now)), want)
		}
	}
	if !soakOf.NextAt(v1alpha1.SoakStatus{}).IsZero() {
		t.Error("the first look is not due at once")
	}
}

// However long a soak is, its last half minute must contain a look.
func TestLongSoakIsSeenAtItsEnd(t *testing.T) {
	watch := SoakWatch{Began: soakBegan, Length: 10 * time.Minute, Interval: 10 * time.Second}
	for _, tt := range []struct {
		last    time.Duration // before the end
		outcome SoakOutcome
	}{{30 * time.Second, SoakHeld}, {31 * time.Second, SoakAgain}} {
		end := soakBegan.Add(watch.Length)
		s, _ := watch.Step(v1alpha1.SoakStatus{}, SoakLook{At: end.Add(-tt.last)})
		if _, v := watch.Step(s, SoakLook{At: end, Unseen: errors.New("503")}); v.Outcome != tt.outcome {
			t.Errorf("last seen %s before its end: outcome %d, want %d", tt.last, v.Outcome, tt.outcome)
		}
	}
}

// A look that shows nothing new is written half of that time after the last write at the latest.
func TestQuietLookIsWrittenInTime(t *testing.T) {
	prev := v1alpha1.SoakStatus{LastLookAt: &metav1.MicroTime{Time: soakBegan}}
	for after, want := range map[time.Duration]bool{14999 * time.Millisecond: false, 15 * time.Second: true} {
		s, _ := soakOf.Step(prev, SoakLook{At: soakBegan.Add(after)})
		if got := !s.LastLookAt.Time.Equal(soakBegan); got != want {
			t.Errorf("after %s a look is written: %v", after, got)
		}
	}
}

func TestSoakOfZeroIsNotWatched(t *testing.T) {
	_, v := SoakWatch{Began: soakBegan, Interval: time.Second}.Step(v1alpha1.SoakStatus{},
		SoakLook{At: soakBegan, Problem: &v1alpha1.Evidence{}})
	if v.Outcome != SoakHeld {
		t.Errorf("outcome %d: %s", v.Outcome, v.Message)
	}
}

// A quiet soak is not written at every look, and a write does not cause another look.
func TestSoakIsWrittenSeldomAndLooksAtItsPace(t *testing.T) {
	watch := SoakWatch{Began: soakBegan, Length: 5 * time.Minute, Interval: 2 * time.Second}
	var s v1alpha1.SoakStatus
	written, looks := 0, 0
	for at := soakBegan; at.Before(soakBegan.Add(watch.Length)); at = at.Add(time.Second) {
		if at.Before(watch.NextAt(s)) {
			continue
		}
		looks++
		next, v := watch.Step(s, SoakLook{At: at})
		if v.Outcome != SoakAgain {
			t.Fatalf("at %v: %+v", at, v)
		}
		if fmt.Sprint(next.LastLookAt) != fmt.Sprint(s.LastLookAt) {
			written++
		}
		s = next
	}
	if written > 25 || looks < 100 {
		t.Errorf("%d of %d looks were written", written, looks)
	}
}
