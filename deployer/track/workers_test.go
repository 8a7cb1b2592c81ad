package track

import (
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestWorkersWork(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		side WorkerSide
		want bool
	}{
		"all of it is there":    {WorkerSide{Side: Side{DeploymentExists: true, Replicas: 2, RolledOut: true}}, true},
		"some of it is missing": {WorkerSide{Side: Side{DeploymentExists: true, Replicas: 2}}, false},
		"the size is 0":         {WorkerSide{Side: Side{DeploymentExists: true}}, true},
		"there is none":         {WorkerSide{}, false},
	} {
		if got := tt.side.Works(); got != tt.want {
			t.Errorf("%s: works: %v", name, got)
		}
	}
}

// A stopped worker has all of its own grace period, and no more.
func TestWorkersEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		side WorkerSide
		want bool
	}{
		"no pod is left":                 {WorkerSide{Side: Side{DeploymentExists: true}}, true},
		"there is none":                  {WorkerSide{}, true},
		"it was not stopped":             {WorkerSide{Side: Side{DeploymentExists: true, Replicas: 1}}, false},
		"a pod was not told to end":      {WorkerSide{Side: Side{DeploymentExists: true}, Left: 1}, false},
		"a pod has a second left":        {WorkerSide{Side: Side{DeploymentExists: true}, Left: 1, LeftUntil: epoch.Add(time.Second)}, false},
		"a pod has had its grace period": {WorkerSide{Side: Side{DeploymentExists: true}, Left: 1, LeftUntil: epoch}, true},
	} {
		if got := tt.side.Ended(epoch); got != tt.want {
			t.Errorf("%s: ended: %v", name, got)
		}
	}
}

func TestWorkersHaveTheirOwnSize(t *testing.T) {
	t.Parallel()
	runs := func(size int32) WorkerSide { return WorkerSide{Side: Side{DeploymentExists: true, Replicas: size}} }
	stopped := func(size int32) WorkerSide { return WorkerSide{Side: Side{DeploymentExists: true}, Stopped: size} }
	scaled := func(s WorkerSide, least, most int32) WorkerSide {
		s.Autoscaler = Autoscaler{Name: "a", Min: least, Max: most}
		return s
	}
	for name, tt := range map[string]struct {
		to, from WorkerSide
		back     bool
		want     int32
	}{
		"takes over":                             {stopped(0), runs(3), false, 3},
		"takes over, whatever it had":            {stopped(9), runs(3), false, 3},
		"takes over after the other was stopped": {runs(3), stopped(3), false, 3},
		"takes over nothing":                     {stopped(2), runs(0), false, 0},
		"takes over alone":                       {stopped(2), WorkerSide{}, false, 2},
		"comes back":                             {stopped(3), runs(3), true, 3},
		"comes back to what it had":              {stopped(3), runs(1), true, 3},
		"comes back to what is needed now":       {stopped(3), runs(5), true, 5},
		"was never stopped":                      {runs(3), runs(3), true, 3},
		"its autoscaler has a minimum":           {scaled(stopped(0), 4, 9), runs(3), false, 4},
		"its autoscaler has a maximum":           {scaled(stopped(0), 1, 2), runs(3), false, 2},
		"its autoscaler does not matter at 0":    {scaled(stopped(0), 4, 9), runs(0), false, 0},
	} {
		if got := WorkerSize(tt.to, tt.from, tt.back); got != tt.want {
			t.Errorf("%s: the size is %d, want %d", name, got, tt.want)
		}
	}
}

// The workers are those of the side that users have, or go back to.
func TestNextOfWorkers(t *testing.T) {
	t.Parallel()
	r, o := ready()
	expect := func(what string, want v1alpha1.Step) {
		t.Helper()
		if s, _ := Next(r, o); s.Name != want {
			t.Errorf("%s: next = %q, want %q", what, s.Name, want)
		}
	}
	expect("no workers", v1alpha1.StepSwitch)
	o.Workers = []Worker{{Name: "mail"}}
	expect("workers", v1alpha1.StepWorkers)
	m := &r.Status.Milestones
	m.Approved = nil
	expect("not approved", v1alpha1.StepPromote)
	m.Approved = &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy}
	o.Locked = true
	expect("locked", v1alpha1.StepPromote)
	o.Locked, o.Workers = false, nil
	m.WorkersIntendedAt = then()
	expect("taken out of the spec after the intent", v1alpha1.StepWorkers)
	m.WorkersAt = then()
	expect("handed over", v1alpha1.StepSwitch)
	r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultCancelled}
	expect("cancelled", v1alpha1.StepRecall)
	if got := WorkersGoTo(r); got != v1alpha1.Blue {
		t.Errorf("cancelled: the workers of %s are to run", got)
	}
	m.RecalledAt = then()
	expect("recalled", v1alpha1.StepRelieve)
	m.RelievedAt = then()
	expect("relieved", v1alpha1.StepDiscard)
	m.SwitchIntendedAt, m.SwitchedAt, m.RelievedAt = then(), then(), nil
	expect("users had moved", v1alpha1.StepRestore)
	m.KeptAt = then()
	expect("users were kept where they are", v1alpha1.StepRelieve)
	if got := WorkersGoTo(r); got != v1alpha1.Green {
		t.Errorf("kept: the workers of %s are to run", got)
	}
	m.WorkersIntendedAt, m.KeptAt = nil, nil
	expect("no worker was moved", v1alpha1.StepRestore)
}
