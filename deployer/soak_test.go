package deployer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Looks are written as letters, one every 10 seconds from the start of a soak of
// 2 minutes: g is good, b bad, x could not be made, r is good with a restart
// more, R good with the restarts of one pod less, and . was not made at all.
func TestSoakIsJudgedByItsLooks(t *testing.T) {
	const good = "ggggggggggg" // the looks before the end of the soak
	for _, c := range []struct {
		name, looks string
		outcome     soakOutcome
		message     string // a part of it
		extended    int32
	}{
		{name: "under way", looks: "ggg", outcome: soakAgain, message: "soaks until 09:02:00 UTC"},
		{name: "held", looks: good + "gg", outcome: soakHeld, message: "held under live traffic for 2m0s"},
		{name: "nobody looked but at the end", looks: "............g", outcome: soakHeld},
		{name: "bad for less than 30 s", looks: "gbbbg", outcome: soakAgain},
		{name: "bad for 30 s", looks: "gbbbb", outcome: soakFailed, message: "unhealthy under live traffic for 30s: pod a: answered 500"},
		{name: "bad in between", looks: "gbbbgbbbgbbbg", outcome: soakHeld},
		{
			name: "bad at the end is not held", looks: good + "bb", outcome: soakAgain,
			message: "unhealthy since 09:01:50 UTC: pod a: answered 500",
		},
		{name: "bad over the end", looks: good + "bbbb", outcome: soakFailed},
		{name: "bad at the end and good again", looks: good + "bbg", outcome: soakHeld},
		{name: "not seen is not good: bad goes on", looks: "gbxxb", outcome: soakFailed},
		{name: "not seen is not bad", looks: "gbxxxxx", outcome: soakAgain, message: "could not be looked at since 09:00:10 UTC: 503"},
		{name: "not seen in the middle", looks: "gxxxxxxxxxxgg", outcome: soakHeld},
		{name: "not seen at the very end only", looks: good + "gx", outcome: soakHeld},
		{
			name: "not seen in the last part", looks: "ggggggggxxxxx", outcome: soakAgain, extended: 1,
			message: "soaks until 09:04:00 UTC, extended 1 of 2 times; the live pods could not be looked at since 09:01:00 UTC: 503",
		},
		{name: "bad when last seen", looks: good + "bx", outcome: soakAgain, extended: 1},
		{name: "seen again in the extension", looks: "ggggggggxxxxx" + "xxgggggggggg", outcome: soakHeld, extended: 1, message: "for 4m0s"},
		{name: "bad in the extension", looks: "ggggggggxxxxx" + "bbbb", outcome: soakFailed, extended: 1},
		{name: "never seen", looks: strings.Repeat("x", 13) + strings.Repeat("x", 12), outcome: soakAgain, extended: 2},
		{
			name: "never seen to the end", looks: strings.Repeat("x", 13) + strings.Repeat("x", 24), outcome: soakUnseen, extended: 2,
			message: "could not be looked at since 09:00:00 UTC, at the end of the soak and of 2 extensions: 503",
		},
		{
			name: "nobody was there to look", looks: "g" + strings.Repeat(".", 100) + "x", outcome: soakAgain, extended: 1,
			message: "soaks until 09:18:50 UTC",
		},
		{name: "one restart", looks: "gr" + good, outcome: soakHeld},
		{name: "two restarts", looks: "grgr", outcome: soakCrashed, message: "2 times"},
		{name: "restarts of a pod that is gone", looks: "gRrr", outcome: soakCrashed},
		{name: "two restarts unseen", looks: "grxr", outcome: soakCrashed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, v := playSoak(t, c.looks)
			if v.outcome != c.outcome || s.Extended != c.extended || !strings.Contains(v.message, c.message) {
				t.Errorf("outcome %d, extended %d, %q; want %d, %d, %q", v.outcome, s.Extended, v.message, c.outcome, c.extended, c.message)
			}
			if (v.outcome == soakFailed) != (v.evidence != nil) {
				t.Errorf("outcome %d with evidence %v", v.outcome, v.evidence)
			}
		})
	}
}

var (
	soakBegan = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	soakOf    = soakWatch{began: soakBegan, length: 2 * time.Minute, interval: 10 * time.Second}
)

// playSoak makes the looks and returns the books and the verdict after the last
// one. No verdict before may be more than to look again.
func playSoak(t *testing.T, looks string) (s v1alpha1.SoakStatus, v soakVerdict) {
	t.Helper()
	const before = 5 // restarts
	s.Restarts = before
	l := soakLook{restarts: before}
	for i, letter := range looks {
		l.at = soakBegan.Add(time.Duration(i) * soakOf.interval)
		l.problem, l.unseen = nil, nil
		switch letter {
		case '.':
			continue
		case 'b':
			l.problem = &v1alpha1.Evidence{Pod: "a", Message: "pod a: answered 500"}
		case 'x':
			l.unseen = errors.New("503")
		case 'r':
			l.restarts++
		case 'R':
			l.restarts = 0
		}
		if i > 0 && v.outcome > soakAgain {
			t.Fatalf("look %d of %s: there was a verdict before: %+v", i, looks, v)
		}
		prev := s.DeepCopy()
		s, v = soakOf.step(*prev, l)
		if v.outcome == soakAgain && !v.at.After(l.at) {
			t.Errorf("look %d of %s: the next one is due at %v, this was at %v", i, looks, v.at, l.at)
		}
	}
	return s, v
}

func TestSoakOfZeroIsNotWatched(t *testing.T) {
	_, v := soakWatch{began: soakBegan, interval: time.Second}.step(v1alpha1.SoakStatus{},
		soakLook{at: soakBegan, problem: &v1alpha1.Evidence{}})
	if v.outcome != soakHeld {
		t.Errorf("outcome %d: %s", v.outcome, v.message)
	}
}

// A quiet soak is not written at every look, and one that writes does not wake
// itself into the next.
func TestSoakIsWrittenSeldomAndLooksAtItsPace(t *testing.T) {
	watch := soakWatch{began: soakBegan, length: 5 * time.Minute, interval: 2 * time.Second}
	var s v1alpha1.SoakStatus
	written, looks := 0, 0
	for at := soakBegan; at.Before(soakBegan.Add(watch.length)); at = at.Add(time.Second) {
		if at.Before(watch.nextAt(s)) {
			continue
		}
		looks++
		next, v := watch.step(s, soakLook{at: at})
		if v.outcome != soakAgain {
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
