package gate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

var spec = v1alpha1.GateSpec{
	Consecutive: 3,
	Interval:    metav1.Duration{Duration: 2 * time.Second},
	Timeout:     metav1.Duration{Duration: 9 * time.Second},
}

// Rounds are written as letters: one that passed, was answered badly, or could
// not look; / is another pod set from then on, and # another template. A round
// ends every 2 seconds, from 0.
func TestStep(t *testing.T) {
	const timeout = "the health gate did not pass within 9s"
	for _, c := range []struct {
		rounds  string
		outcome Outcome
		passed  int32
		message string // a part of it
	}{
		{rounds: "p", outcome: Again, passed: 1, message: "1 of 3 rounds passed on 2 pods"},
		{rounds: "pp", outcome: Again, passed: 2},
		{rounds: "ppp", outcome: Passed, passed: 3, message: "GET /: 3 rounds in a row passed on 2 pods"},
		{rounds: "ppb", outcome: Again, message: "pod a: answered 500"},
		{rounds: "bppp", outcome: Passed, passed: 3},
		{rounds: "pbpb", outcome: Again},
		{rounds: "pbpbp", outcome: Failed, passed: 1, message: timeout + ": GET /: only 1 of 3 rounds"},
		{rounds: "bbbbb", outcome: Failed, message: timeout + ": pod a: answered 500"},
		{rounds: "pxpp", outcome: Passed, passed: 3},
		{rounds: "ppx", outcome: Again, passed: 2, message: "could not look: 429"},
		{rounds: "xxxxx", outcome: Unseen, message: "the health gate could not look for 9s: 429"},
		{rounds: "bbbbx", outcome: Unseen},
		{rounds: "xxxxb", outcome: Failed, message: "answered 500"},
		{rounds: "pp/p", outcome: Again, passed: 1, message: "on 3 pods"},
		{rounds: "pp/pp/p", outcome: Failed, passed: 1, message: "only 1 of 3"},
		{rounds: "pp#p", outcome: Again, passed: 1},
		{rounds: "bbbb#bpp", outcome: Again, passed: 2},
		{rounds: "bbbb#bppp", outcome: Passed, passed: 3},
	} {
		t.Run(c.rounds, func(t *testing.T) {
			s, v := play(c.rounds)
			if v.Outcome != c.outcome || s.Passed != c.passed || !strings.Contains(v.Message, c.message) {
				t.Errorf("outcome %d, passed %d, %q; want %d, %d, %q", v.Outcome, s.Passed, v.Message, c.outcome, c.passed, c.message)
			}
			if (v.Outcome == Failed) != (v.Evidence != nil) {
				t.Errorf("outcome %d with evidence %v", v.Outcome, v.Evidence)
			}
			if v.Outcome == Again && !v.At.Equal(NextAt(spec, s)) {
				t.Errorf("next round at %v, but due at %v", v.At, NextAt(spec, s))
			}
		})
	}
}

func play(rounds string) (s *v1alpha1.GateStatus, v Verdict) {
	now := start
	l := Look{TemplateHash: "0", Plan: Plan{Check: "GET /"}, Pods: []track.Pod{{Name: "b"}, {Name: "a"}, {Name: "old", Terminating: true}}}
	for _, r := range rounds {
		switch r {
		case '/':
			l.Pods = append(l.Pods, track.Pod{Name: fmt.Sprint("new", len(l.Pods))})
			continue
		case '#':
			l.TemplateHash += "1"
			continue
		case 'p':
			l.Result = Result{Passed: true}
		case 'b':
			l.Result = Result{Problem: &v1alpha1.Evidence{Pod: "a", Message: "answered 500"}}
		case 'x':
			l.Result = Result{CouldNotLook: errors.New("429")}
		}
		l.StartedAt, l.EndedAt = now, now
		var next v1alpha1.GateStatus
		next, v = Step(s, spec, l)
		s = &next
		now = now.Add(2 * time.Second)
	}
	return s, v
}

func TestStepChangesNothingThatItWasGiven(t *testing.T) {
	s, _ := play("pp")
	before := s.DeepCopy()
	Step(s, spec, Look{TemplateHash: "0", Result: Result{Problem: &v1alpha1.Evidence{}}, EndedAt: start})
	if s.Passed != before.Passed || s.Problem != nil || len(s.Pods) != len(before.Pods) || !s.LastRoundAt.Equal(before.LastRoundAt) {
		t.Errorf("the books were changed in place: %+v, was %+v", s, before)
	}
}
