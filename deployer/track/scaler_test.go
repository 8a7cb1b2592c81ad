package track

import (
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// KEDA starts no worker where no users are, and every release writes it once.
func TestScaledObjectsOfWorkersThatRestArePaused(t *testing.T) {
	t.Parallel()
	const blue, green = v1alpha1.Blue, v1alpha1.Green
	deploy := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy}}
	deploy.Name, deploy.Status.Milestones.Target = "app-1", green
	undone := deploy.DeepCopy()
	undone.Status.Failure = &v1alpha1.Failure{}
	runs := func(by string) WorkerSide {
		return WorkerSide{Side: Side{DeploymentExists: true, Replicas: 2}, MovedBy: by}
	}
	stopped := func(by string) WorkerSide {
		return WorkerSide{Side: Side{DeploymentExists: true}, MovedBy: by, Stopped: 2}
	}
	both := func(b, g WorkerSide) Worker { return Worker{Sides: map[v1alpha1.Color]WorkerSide{blue: b, green: g}} }
	queued := func(b, g WorkerSide) Worker {
		w := both(b, g)
		w.Queued = true
		return w
	}
	worked, undoing := both(stopped("app-1"), runs("app-1")), both(runs("app-1 back"), stopped("app-1 back"))
	again := stopped("app-1")
	again.Replicas = 1
	paused := func(by string) Scaler { return Scaler{Paused: true, Marked: true, SetBy: by} }
	for name, tt := range map[string]struct {
		s       Scaler
		w       Worker
		c, live v1alpha1.Color
		moving  *v1alpha1.Release
		owed    string
		want    ScalerStep
	}{
		"adopted: the idle side":        {Scaler{}, both(runs(""), stopped("")), green, blue, nil, "", ScalerPause},
		"adopted: the idle side runs":   {Scaler{}, both(runs(""), runs("")), green, blue, nil, "", ScalerNothing},
		"adopted: paused by its owner":  {Scaler{Paused: true}, both(runs(""), stopped("")), green, blue, nil, "", ScalerNothing},
		"adopted: the live side":        {Scaler{}, both(runs(""), stopped("")), blue, blue, nil, "", ScalerNothing},
		"adopted: paused on the live":   {Scaler{Paused: true}, both(runs(""), stopped("")), blue, blue, nil, "", ScalerNothing},
		"nobody knows where users are":  {Scaler{}, both(runs(""), stopped("")), green, "", nil, "", ScalerNothing},
		"there is no Deployment":        {Scaler{}, both(runs(""), WorkerSide{}), green, blue, nil, "", ScalerNothing},
		"a release has not started it":  {paused(""), both(runs(""), stopped("")), green, blue, deploy, "", ScalerNothing},
		"a release started it":          {paused(""), both(runs(""), runs("app-1")), green, blue, deploy, "", ScalerResume},
		"it was given back":             {Scaler{SetBy: "app-1"}, both(runs(""), runs("app-1")), green, blue, deploy, "", ScalerNothing},
		"a release has not stopped it":  {Scaler{}, both(runs(""), runs("app-1")), blue, blue, deploy, "", ScalerNothing},
		"a release stopped it":          {Scaler{}, worked, blue, blue, deploy, "", ScalerPause},
		"KEDA started it again":         {Scaler{}, both(again, runs("app-1")), blue, blue, deploy, "", ScalerPause},
		"it is paused":                  {paused("app-1"), worked, blue, blue, deploy, "", ScalerNothing},
		"an undo brought it back":       {paused("app-1"), both(runs("app-1 back"), runs("app-1")), blue, blue, undone, "", ScalerResume},
		"an undo stopped it":            {Scaler{SetBy: "app-1"}, undoing, green, blue, undone, "", ScalerPause},
		"an undo did not need it":       {paused("app-0"), undoing, green, blue, undone, "", ScalerPause},
		"afterwards: the live side":     {paused("app-0"), worked, green, green, nil, "", ScalerResume},
		"afterwards: the other":         {Scaler{}, worked, blue, green, nil, "", ScalerPause},
		"afterwards: somebody resumed":  {Scaler{Marked: true, SetBy: "app-1"}, worked, blue, green, nil, "", ScalerNothing},
		"KEDA started it afterwards":    {Scaler{SetBy: "app-1"}, both(again, runs("app-1")), blue, green, nil, "", ScalerPause},
		"it works on":                   {Scaler{}, queued(runs("app-0"), runs("app-1")), blue, green, nil, "app-1", ScalerNothing},
		"it works on at size 0":         {Scaler{}, queued(stopped("app-0"), runs("app-1")), blue, green, nil, "app-1", ScalerNothing},
		"it has worked on":              {Scaler{}, queued(stopped("app-1"), runs("app-1")), blue, green, nil, "app-1", ScalerPause},
		"no queue, and it owes nothing": {Scaler{}, both(stopped("app-0"), runs("app-1")), blue, green, nil, "app-1", ScalerPause},
	} {
		if got := tt.s.Next(tt.w, tt.c, tt.live, tt.moving, tt.owed); got != tt.want {
			t.Errorf("%s: it needs %s, want %s", name, got, tt.want)
		}
	}
}
