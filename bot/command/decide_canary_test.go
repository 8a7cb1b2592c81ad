package command_test

import (
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
)

func TestPromoteOfACanaryTakesOneStepOrAllThatRemain(t *testing.T) {
	dividing := func(weights ...int32) func(*command.Situation) {
		return func(s *command.Situation) {
			shift := &v1alpha1.ShiftStatus{Steps: []v1alpha1.CanaryStep{{Weight: 5}, {Weight: 25}, {Weight: 50}}}
			for _, w := range weights {
				shift.Weights = append(shift.Weights, v1alpha1.ShiftedWeight{Weight: w})
			}
			s.Releases[0].Status.Step, s.Releases[0].Status.Shift = v1alpha1.StepShift, shift
		}
	}
	promoted := func(weight int32) func(*command.Situation) {
		return func(s *command.Situation) {
			s.Releases[0].Spec.Promotions = []v1alpha1.Promotion{{Weight: weight, By: "otto"}}
		}
	}
	for name, tt := range map[string]struct {
		typed  int32
		change []func(*command.Situation)
		weight int32 // of the promotion; 0: there is none
		code   command.Code
	}{
		"the waiting step":          {0, []func(*command.Situation){dividing(5)}, 25, command.CodePromoted},
		"the next one":              {0, []func(*command.Situation){dividing(5, 25)}, 50, command.CodePromoted},
		"the last one":              {0, []func(*command.Situation){dividing(5, 25, 50)}, 100, command.CodePromoted},
		"after another promotion":   {0, []func(*command.Situation){dividing(5, 25), promoted(25)}, 50, command.CodePromoted},
		"that one promoted already": {0, []func(*command.Situation){dividing(5), promoted(25)}, 0, command.CodePromotedAlready},
		"all of them":               {100, []func(*command.Situation){dividing(5)}, 100, command.CodePromoted},
		"all of them, already":      {100, []func(*command.Situation){dividing(5), promoted(100)}, 0, command.CodePromotedAlready},
		"a step after all of them":  {0, []func(*command.Situation){dividing(5), promoted(100)}, 0, command.CodePromotedAlready},
		"a later one":               {50, []func(*command.Situation){dividing(5)}, 50, command.CodePromoted},
		"one that it has":           {25, []func(*command.Situation){dividing(5, 25)}, 0, command.CodeNoSuchStep},
		"none of them":              {30, []func(*command.Situation){dividing(5)}, 0, command.CodeNoSuchStep},
		"behind a lock":             {100, []func(*command.Situation){dividing(5), behindLock}, 100, command.CodePromotedLocked},
		"nobody has it":             {100, nil, 0, command.CodeNoUsersYet},
		"nothing is released of it": {
			100,
			[]func(*command.Situation){func(s *command.Situation) { s.Releases = nil }},
			0,
			command.CodeNoUsersYet,
		},
		"it was cancelled": {100, []func(*command.Situation){going(v1alpha1.ReleaseCancelled)}, 0, command.CodeNoUsersYet},
		"it is being taken back": {
			100,
			[]func(*command.Situation){dividing(5, 0), going(v1alpha1.ReleaseUndoing)},
			0,
			command.CodeBeingUndone,
		},
		"another pull request is merged": {100, []func(*command.Situation){dividing(5), elsewhere}, 0, ""},
	} {
		s := in(bottest.Running, tt.change...)()
		s.Command = command.Command{Verb: command.Promote, Weight: tt.typed}
		d := command.Decide(s)
		var weight int32
		if d.Promote != nil {
			weight = d.Promote.Promotion.Weight
		}
		if weight != tt.weight || tt.code != "" && d.Code != tt.code || d.Approve != nil || d.Submit != nil {
			t.Errorf("%s: decided %s, a promotion to %d; want %s, to %d", name, d.Code, weight, tt.code, tt.weight)
		}
	}
}

// Users go back already, because somebody cancelled it or because it failed. A /rollback makes that
// one, once.
func TestRollbackOfACanaryThatGoesBackAlready(t *testing.T) {
	t.Parallel()
	divided := func(s *command.Situation) {
		s.Releases[0].Status.Step = v1alpha1.StepShift
		s.Releases[0].Status.Shift = &v1alpha1.ShiftStatus{Weights: []v1alpha1.ShiftedWeight{{Weight: 5}}}
	}
	cancelled := func(c v1alpha1.Cancel) func(*command.Situation) {
		return func(s *command.Situation) { s.Releases[0].Spec.Ask(c) }
	}
	for name, tt := range map[string]struct {
		change []func(*command.Situation)
		code   command.Code
		back   bool
	}{
		"it has users": {[]func(*command.Situation){divided}, command.CodeWithdrawnByBack, true},
		"cancelled":    {[]func(*command.Situation){divided, cancelled(v1alpha1.Cancel{By: "otto"})}, command.CodeUndoneByBack, true},
		"it failed":    {[]func(*command.Situation){divided, going(v1alpha1.ReleaseUndoing)}, command.CodeUndoneByBack, true},
		"taken back": {
			[]func(*command.Situation){divided, cancelled(v1alpha1.Cancel{By: "otto", RollsBack: true})}, command.CodeCancelledAlready, false,
		},
		"nobody has it":         {[]func(*command.Situation){cancelled(v1alpha1.Cancel{By: "otto"})}, command.CodeCancelledAlready, false},
		"nobody had it, failed": {[]func(*command.Situation){going(v1alpha1.ReleaseUndoing)}, command.CodeBeingUndoneAlready, false},
	} {
		s := in(bottest.Running, tt.change...)()
		s.Command = command.Command{Verb: command.Rollback}
		d := command.Decide(s)
		if d.Code != tt.code || (d.Cancel != nil) != tt.back || d.Cancel != nil && !d.Cancel.Cancel.RollsBack {
			t.Errorf("%s: decided %s, a cancel %+v; want %s", name, d.Code, d.Cancel, tt.code)
		}
	}
}

// The comment is delivered once more: it is the same rollback.
func TestRollbackOfACanaryIsOneHoweverOftenItIsDelivered(t *testing.T) {
	t.Parallel()
	s := in(bottest.Running, func(s *command.Situation) {
		s.Releases[0].Status.Shift = &v1alpha1.ShiftStatus{Weights: []v1alpha1.ShiftedWeight{{Weight: 5}}}
		s.Releases[0].Spec.Ask(v1alpha1.Cancel{By: "otto"})
		s.Releases[0].Spec.Ask(v1alpha1.Cancel{By: s.By, Cause: s.Cause, RollsBack: true})
	})()
	s.Command = command.Command{Verb: command.Rollback}
	if d := command.Decide(s); !d.AskedBefore || d.Cancel != nil {
		t.Errorf("decided %+v", d)
	}
}
