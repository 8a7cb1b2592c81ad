package track

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// t0 is the time of the first look.
var t0 = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// watchOfLive is a watch of three looks before, one every two seconds.
var watchOfLive = LiveWatch{Looks: 3, Interval: 2 * time.Second, Tolerance: 6 * time.Second}

const bad = "answered 500"

// liveLook is a look this many seconds after the first.
func liveLook(after int, problem string) LiveLook {
	l := LiveLook{SoakLook: SoakLook{At: t0.Add(time.Duration(after) * time.Second)}}
	switch problem {
	case "":
	case "unseen":
		l.Unseen = errors.New("no route to pods")
	case "not ready":
		l.Problem = &v1alpha1.Evidence{Reason: notReady, Message: "1 of 3 pods of blue are ready"}
	default:
		l.Problem = &v1alpha1.Evidence{Pod: "blue-1", Request: "GET /healthz", Message: problem}
	}
	return l
}

func TestLiveVersionIsKnownBeforeItsMigration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		looks  []LiveLook
		known  bool
		before string
	}{
		"two looks":      {[]LiveLook{liveLook(0, ""), liveLook(2, "")}, false, ""},
		"three":          {[]LiveLook{liveLook(0, ""), liveLook(2, ""), liveLook(4, "")}, true, ""},
		"one of them":    {[]LiveLook{liveLook(0, ""), liveLook(2, bad), liveLook(4, "")}, true, bad},
		"unseen":         {[]LiveLook{liveLook(0, "unseen"), liveLook(2, "unseen"), liveLook(4, "unseen")}, false, ""},
		"unseen for all": {[]LiveLook{liveLook(0, "unseen"), liveLook(60, "unseen")}, true, "no route to pods"},
		"seen at last":   {[]LiveLook{liveLook(0, "unseen"), liveLook(2, ""), liveLook(4, ""), liveLook(6, "")}, true, ""},
		"the address is not known": {[]LiveLook{liveLook(0, ""), liveLook(2, ""), func() LiveLook {
			l := liveLook(4, "")
			l.Full = l.At.Add(time.Second)
			return l
		}()}, false, ""},
	} {
		var s *v1alpha1.LiveStatus
		var v LiveVerdict
		for _, l := range c.looks {
			next, verdict := watchOfLive.Step(s, l)
			s, v = &next, verdict
		}
		if (s.KnownAt != nil) != c.known || (v.Outcome == LiveWell) != c.known || (v.Outcome == LiveUnknown) == c.known ||
			!strings.Contains(s.Before, c.before) || (s.Before == "") != (c.before == "") {
			t.Errorf("%s: %+v, the verdict is %+v", name, s, v)
		}
		if last := c.looks[len(c.looks)-1]; !v.At.After(last.At) || v.At.After(last.At.Add(watchOfLive.Interval)) {
			t.Errorf("%s: the next look is at %s", name, v.At)
		}
	}
}

func TestMigrationIsBlamedForWhatTheLiveVersionSuffersSince(t *testing.T) {
	t.Parallel()
	address := func(l LiveLook) LiveLook {
		l.Breach, l.BreachFrom = "https://shop: 503", l.At.Add(-time.Second)
		return l
	}
	for name, c := range map[string]struct {
		before string
		looks  []LiveLook
		want   LiveOutcome
		since  int
		says   string
	}{
		"well":                 {"", []LiveLook{liveLook(0, ""), liveLook(5, "")}, LiveWell, -1, ""},
		"fails for a moment":   {"", []LiveLook{liveLook(0, ""), liveLook(2, bad), liveLook(7, bad)}, LiveFails, 2, bad},
		"fails":                {"", []LiveLook{liveLook(2, bad), liveLook(8, bad)}, LiveSuffers, 2, "pod blue-1: GET /healthz: answered 500"},
		"well in between":      {"", []LiveLook{liveLook(2, bad), liveLook(4, ""), liveLook(8, bad)}, LiveFails, 8, bad},
		"well again":           {"", []LiveLook{liveLook(2, bad), liveLook(9, "")}, LiveWell, -1, ""},
		"failed before":        {bad, []LiveLook{liveLook(2, bad), liveLook(9, bad)}, LiveWell, -1, ""},
		"unseen":               {"", []LiveLook{liveLook(2, "unseen"), liveLook(90, "unseen")}, LiveWell, -1, ""},
		"unseen since":         {"", []LiveLook{liveLook(2, bad), liveLook(90, "unseen")}, LiveFails, 2, "no route to pods"},
		"a lost node":          {"", []LiveLook{liveLook(2, "not ready"), liveLook(31, "not ready")}, LiveFails, 2, "1 of 3"},
		"not ready any more":   {"", []LiveLook{liveLook(2, bad), liveLook(32, "not ready")}, LiveSuffers, 2, "1 of 3"},
		"the address":          {"", []LiveLook{address(liveLook(3, ""))}, LiveSuffers, 2, "https://shop: 503"},
		"the address, excused": {bad, []LiveLook{address(liveLook(3, bad))}, LiveSuffers, 2, "https://shop: 503"},
	} {
		known := metav1.NewMicroTime(t0)
		s := v1alpha1.LiveStatus{BeganAt: known, KnownAt: &known, LastLookAt: &known, Before: c.before}
		var v LiveVerdict
		for _, l := range c.looks {
			s, v = watchOfLive.Step(&s, l)
		}
		if v.Outcome != c.want || !strings.Contains(v.Message, c.says) || (c.says == "") != (v.Message == "") {
			t.Errorf("%s: %+v", name, v)
		}
		if c.since >= 0 && !v.Since.Equal(t0.Add(time.Duration(c.since)*time.Second)) {
			t.Errorf("%s: since %s", name, v.Since.Sub(t0))
		}
		if (name == "well again") != (v.Recovered != "") {
			t.Errorf("%s: it says %q", name, v.Recovered)
		}
	}
}

// Each write wakes watchers, so a watch of hours must not write at each look.
func TestLooksThatShowNothingNewAreRarelyRecorded(t *testing.T) {
	t.Parallel()
	known := metav1.NewMicroTime(t0)
	s := v1alpha1.LiveStatus{BeganAt: known, KnownAt: &known, LastLookAt: &known}
	if next, _ := watchOfLive.Step(&s, liveLook(9, "")); !next.LastLookAt.Equal(&known) {
		t.Error("a look after 9 s is recorded")
	}
	if next, _ := watchOfLive.Step(&s, liveLook(10, "")); next.LastLookAt.Equal(&known) {
		t.Error("a look after 10 s is not recorded")
	}
	if next, _ := watchOfLive.Step(&s, liveLook(1, bad)); next.LastLookAt.Equal(&known) {
		t.Error("a look that shows a failure is not recorded")
	}
}
