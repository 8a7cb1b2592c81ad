package track

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// departed is a worker with a queue of its own after a release to green: the old side runs on.
func departed() Worker {
	runs := func(by string) WorkerSide {
		return WorkerSide{Side: Side{Deployment: "mail", DeploymentExists: true, Replicas: 2, RolledOut: true}, MovedBy: by}
	}
	sides := map[v1alpha1.Color]WorkerSide{v1alpha1.Blue: runs("app-0"), v1alpha1.Green: runs("app-1")}
	return Worker{Name: "mail", Queued: true, Sides: sides}
}

func TestWorkersFollowUsers(t *testing.T) {
	t.Parallel()
	empty := QueueLook{Empty: true}
	type change = func(*Worker, *Departure)
	side := func(c v1alpha1.Color, change func(*WorkerSide)) change {
		return func(w *Worker, _ *Departure) {
			s := w.Sides[c]
			change(&s)
			w.Sides[c] = s
		}
	}
	blue := func(change func(*WorkerSide)) change { return side(v1alpha1.Blue, change) }
	green := func(change func(*WorkerSide)) change { return side(v1alpha1.Green, change) }
	drains := func(d time.Duration) change { return func(_ *Worker, of *Departure) { of.DrainedAt = epoch.Add(d) } }
	for name, tt := range map[string]struct {
		change change
		queue  QueueLook
		want   FollowStep
	}{
		"nobody was asked":                           {nil, QueueLook{}, FollowAsk},
		"tasks are left":                             {nil, QueueLook{Left: "3 tasks"}, FollowAsk},
		"a pod was not asked":                        {nil, QueueLook{Unknown: "no way"}, FollowAsk},
		"the queue is empty":                         {nil, empty, FollowStop},
		"empty, and front ends may send users there": {drains(time.Second), empty, FollowDrain},
		"empty, and the drain is over":               {drains(0), empty, FollowStop},
		"empty, and users may get there":             {func(_ *Worker, d *Departure) { d.Reached = "another route" }, empty, FollowDrain},
		"empty, and the users' side does not work":   {green(func(s *WorkerSide) { s.RolledOut = false }), empty, FollowStart},
		"empty, and the users' side was not brought back": {
			green(func(s *WorkerSide) { s.MovedBy = "app-0" }), empty, FollowNothing, // it is not this release's
		},
		"the users' side is to be brought back": {func(w *Worker, _ *Departure) {
			s := w.Sides[v1alpha1.Green]
			s.MovedBy = "app-0"
			w.Sides[v1alpha1.Green] = s
			s = w.Sides[v1alpha1.Blue]
			s.MovedBy = "app-1"
			w.Sides[v1alpha1.Blue] = s
		}, empty, FollowRecall},
		"somebody stopped it": {blue(func(s *WorkerSide) { s.Replicas = 0 }), QueueLook{}, FollowStop},
		"somebody stopped it, and front ends may send users there": {func(w *Worker, d *Departure) {
			blue(func(s *WorkerSide) { s.Replicas = 0 })(w, d)
			drains(time.Second)(w, d)
		}, QueueLook{}, FollowDrain},
		"both share a queue":            {func(w *Worker, _ *Departure) { w.Queued = false }, QueueLook{Left: "3 tasks"}, FollowStop},
		"it was stopped":                {blue(func(s *WorkerSide) { s.MovedBy, s.Replicas = "app-1", 0 }), QueueLook{}, FollowNothing},
		"there is nothing to return to": {green(func(s *WorkerSide) { s.DeploymentExists = false }), empty, FollowNothing},
	} {
		w, d := departed(), Departure{Now: epoch, Queue: tt.queue}
		if tt.change != nil {
			tt.change(&w, &d)
		}
		if got := w.Next("app-1", v1alpha1.Green, d); got != tt.want {
			t.Errorf("%s: next is %s, want %s", name, got, tt.want)
		}
	}
}

func TestKeptWorkersHaveAReason(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		d            Departure
		want, detail string
	}{
		"another route": {Departure{Reached: "ingress other"}, v1alpha1.ReasonInUse, "ingress other"},
		"it drains": {
			Departure{DrainedAt: epoch.Add(1)}, v1alpha1.ReasonInUse, "the load balancer may send users there until 00:00:00 UTC",
		},
		"tasks are left":  {Departure{Queue: QueueLook{Left: "3 tasks"}}, v1alpha1.ReasonTasksLeft, "3 tasks"},
		"a pod is silent": {Departure{Queue: QueueLook{Unknown: "no way"}}, v1alpha1.ReasonQueueUnknown, "no way"},
		"not asked":       {Departure{}, v1alpha1.ReasonNotAsked, ""},
	} {
		tt.d.Now = epoch
		if got, detail := tt.d.State(); got != tt.want || detail != tt.detail {
			t.Errorf("%s: %s, %q", name, got, detail)
		}
	}
}

// Only a queue that no user reached is stopped by the release itself.
func TestReleaseStopsWorkersWithoutTasks(t *testing.T) {
	t.Parallel()
	w := departed()
	shared := Worker{Sides: w.Sides}
	for name, tt := range map[string]struct {
		intended bool
		from     v1alpha1.Color
		want     bool
	}{
		"the old side before the switch":             {false, v1alpha1.Blue, false},
		"the old side after it":                      {true, v1alpha1.Blue, false},
		"the new side, which nobody reached":         {false, v1alpha1.Green, true},
		"the new side, which users may have reached": {true, v1alpha1.Green, false},
	} {
		r := &v1alpha1.Release{}
		r.Status.Milestones.Target = v1alpha1.Green
		if tt.intended {
			r.Status.Milestones.SwitchIntendedAt = then()
		}
		if got := StopsWithRelease(r, w, tt.from); got != tt.want {
			t.Errorf("%s: it stops: %v", name, got)
		}
		if !StopsWithRelease(r, shared, tt.from) {
			t.Errorf("%s: a worker without a queue of its own is kept", name)
		}
	}
}

// A version must not take tasks that another one left in the target's queue.
func TestTargetIsNotTouchedWhileItsWorkersHaveTasks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Worker, *WorkerSide)
		want   Wait
	}{
		"it works on": {func(*Worker, *WorkerSide) {}, Wait{
			Message: "waits until the workers of deployment mail, which have a queue of their own, are stopped",
			Waits:   WaitsForObject(v1alpha1.WaitsForDrain, v1alpha1.BecauseQueue, "mail"),
		}},
		"its pods are ending": {func(_ *Worker, s *WorkerSide) {
			s.Replicas, s.Left, s.LeftUntil = 0, 1, epoch.Add(time.Minute)
		}, Wait{
			Until:   epoch.Add(time.Minute),
			Message: "waits until the workers of deployment mail, which have a queue of their own, are stopped",
			Waits: &v1alpha1.Waiting{
				For: v1alpha1.WaitsForDrain, Because: v1alpha1.BecauseQueue, Object: "mail", Until: Stamp(epoch.Add(time.Minute)),
			},
		}},
		"it has ended":                    {func(_ *Worker, s *WorkerSide) { s.Replicas = 0 }, Wait{}},
		"the release started it":          {func(_ *Worker, s *WorkerSide) { s.MovedBy = "app-2" }, Wait{}},
		"both sides share a queue":        {func(w *Worker, _ *WorkerSide) { w.Queued = false }, Wait{}},
		"there is none on the target yet": {func(_ *Worker, s *WorkerSide) { *s = WorkerSide{} }, Wait{}},
	} {
		w := departed()
		s := w.Sides[v1alpha1.Blue]
		tt.change(&w, &s)
		w.Sides[v1alpha1.Blue] = s
		r := &v1alpha1.Release{}
		r.Name, r.Status.Milestones.Target = "app-2", v1alpha1.Blue
		o := Observed{Now: epoch, Workers: []Worker{w}}
		o.Behind = Behind(r, o)
		if diff := cmp.Diff(tt.want, untouchable(o)); diff != "" {
			t.Errorf("%s: the wait is (-want +got):\n%s", name, diff)
		}
	}
}
