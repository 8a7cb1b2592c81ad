package track

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

var gateBegan = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

var gateWatch = GateWatch{Consecutive: 3, Interval: 2 * time.Second, Timeout: 9 * time.Second}

// A letter is a round: p passed, b got a bad answer, x could not check. After / the set of pods
// changes, after # the template. A round ends every 2 seconds, from 0.
func TestGateStep(t *testing.T) {
	const timeout = "the health gate did not pass within 9s"
	for _, c := range []struct {
		rounds  string
		outcome GateOutcome
		passed  int32
		message string // a part of it
	}{
		{rounds: "p", outcome: GateAgain, passed: 1, message: "1 of 3 rounds passed on 2 pods"},
		{rounds: "pp", outcome: GateAgain, passed: 2},
		{rounds: "ppp", outcome: GatePassed, passed: 3, message: "GET /: 3 rounds in a row passed on 2 pods"},
		{rounds: "ppb", outcome: GateAgain, message: "pod a: answered 500"},
		{rounds: "bppp", outcome: GatePassed, passed: 3},
		{rounds: "pbpb", outcome: GateAgain},
		{rounds: "pbpbp", outcome: GateFailed, passed: 1, message: timeout + ": GET /: only 1 of 3 rounds"},
		{rounds: "bbbbb", outcome: GateFailed, message: timeout + ": pod a: answered 500"},
		{rounds: "pxpp", outcome: GatePassed, passed: 3},
		{rounds: "ppx", outcome: GateAgain, passed: 2, message: "could not check the pods: 429"},
		{rounds: "xxxxx", outcome: GateUnseen, message: "the health gate could not check the pods for 9s: 429"},
		{rounds: "bbbbx", outcome: GateUnseen},
		{rounds: "xxxxb", outcome: GateFailed, message: "answered 500"},
		{rounds: "pp/p", outcome: GateAgain, passed: 1, message: "on 3 pods"},
		{rounds: "pp/pp/p", outcome: GateFailed, passed: 1, message: "only 1 of 3"},
		{rounds: "pp#p", outcome: GateAgain, passed: 1},
		{rounds: "bbbb#bpp", outcome: GateAgain, passed: 2},
		{rounds: "bbbb#bppp", outcome: GatePassed, passed: 3},
	} {
		t.Run(c.rounds, func(t *testing.T) {
			s, v := playGate(c.rounds)
			if v.Outcome != c.outcome || s.Passed != c.passed || !strings.Contains(v.Message, c.message) {
				t.Errorf("outcome %d, passed %d, %q; want %d, %d, %q", v.Outcome, s.Passed, v.Message, c.outcome, c.passed, c.message)
			}
			if (v.Outcome == GateFailed) != (v.Evidence != nil) {
				t.Errorf("outcome %d with evidence %v", v.Outcome, v.Evidence)
			}
			if v.Outcome == GateAgain && !v.At.Equal(gateWatch.NextAt(s)) {
				t.Errorf("next round at %v, but due at %v", v.At, gateWatch.NextAt(s))
			}
		})
	}
}

func playGate(rounds string) (s *v1alpha1.GateStatus, v GateVerdict) {
	now := gateBegan
	l := GateLook{TemplateHash: "0", Check: "GET /", Pods: []Pod{{Name: "b"}, {Name: "a"}, {Name: "old", Terminating: true}}}
	for _, r := range rounds {
		switch r {
		case '/':
			l.Pods = append(l.Pods, Pod{Name: fmt.Sprint("new", len(l.Pods))})
			continue
		case '#':
			l.TemplateHash += "1"
			continue
		case 'p':
			l.Passed, l.Problem, l.Unseen = true, nil, nil
		case 'b':
			l.Passed, l.Problem, l.Unseen = false, &v1alpha1.Evidence{Pod: "a", Message: "answered 500"}, nil
		case 'x':
			l.Passed, l.Problem, l.Unseen = false, nil, errors.New("429")
		}
		l.StartedAt, l.EndedAt = now, now
		var next v1alpha1.GateStatus
		next, v = gateWatch.Step(s, l)
		s = &next
		now = now.Add(2 * time.Second)
	}
	return s, v
}

func TestGateStepChangesNothingThatItWasGiven(t *testing.T) {
	s, _ := playGate("pp")
	before := s.DeepCopy()
	gateWatch.Step(s, GateLook{TemplateHash: "0", Problem: &v1alpha1.Evidence{}, EndedAt: gateBegan})
	if s.Passed != before.Passed || s.Problem != nil || len(s.Pods) != len(before.Pods) || !s.LastRoundAt.Equal(before.LastRoundAt) {
		t.Errorf("the status was changed in place: %+v, was %+v", s, before)
	}
}

// One round is enough for a version that passed before it waited for a person, unless something
// has contradicted that since.
func TestGateIsAskedOnceOfWhatHasPassed(t *testing.T) {
	t.Parallel()
	const image, hash = "app@sha256:1", "h1"
	bad := &v1alpha1.GateStatus{Problem: &v1alpha1.Evidence{Message: "answered 500"}}
	for name, tt := range map[string]struct {
		askAgain bool
		hash     string
		gate     *v1alpha1.GateStatus
		age      time.Duration
		want     int32
	}{
		"first":                           {want: 3, hash: "other"},
		"passed, and a person waited for": {askAgain: true, hash: hash, want: 1},
		"a bad answer since":              {askAgain: true, hash: hash, gate: bad, want: 3},
		"a pass that is not fresh":        {askAgain: true, hash: hash, age: time.Hour, want: 3},
		"another template":                {askAgain: true, hash: "other", want: 3},
	} {
		rel := &v1alpha1.Release{}
		rel.Status.Gate = tt.gate
		rel.Status.Milestones.Staged = &v1alpha1.StagedMilestone{Image: image, TemplateHash: hash}
		rel.Status.Milestones.Verified = &v1alpha1.VerifiedMilestone{
			Image: image, TemplateHash: tt.hash, AskAgain: tt.askAgain, At: metav1.NewTime(gateBegan),
		}
		o := Observed{Now: gateBegan.Add(tt.age), Freshness: time.Minute}
		watch := GateWatchOf(v1alpha1.GateSpec{Consecutive: 3}, rel, o)
		if watch.Consecutive != tt.want {
			t.Errorf("%s: %d rounds in a row are requested, want %d", name, watch.Consecutive, tt.want)
		}
		if once := watch.OfReadiness(); once.Consecutive != 1 {
			t.Errorf("%s: rounds of readiness alone are requested %d times in a row", name, once.Consecutive)
		}
	}
}
