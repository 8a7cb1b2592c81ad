package deployer

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// noteOwed records at the end of a release whether workers do not follow users yet: those to
// return to did not work in time, or somebody else changed the routes or the target after the
// workers had moved.
func noteOwed(a *attempt) {
	m := a.rel.Status.Milestones
	if m.WorkersIntendedAt == nil && m.RecalledAt == nil {
		return
	}
	by := track.WorkersBy(a.rel)
	a.bg.Status.WorkersOwed = nil
	for _, w := range a.o.Workers {
		if !w.Follows(by) {
			a.bg.Status.WorkersOwed = &v1alpha1.WorkersOwed{By: by, Since: metav1.NewTime(a.o.Now)}
		}
	}
}

// following lets workers follow users after the release that moved them.
type following struct {
	routes   referrersReader
	emptying emptying
	workers  interface {
		workerStopper
		Recall(ctx context.Context, bg *v1alpha1.BlueGreen, s track.WorkerSide, size int32, by string) error
	}
}

// follow starts the workers of the users' version, and once they work stops the others, those with
// a queue of their own once it is empty. It writes each of them once: whoever scales one after that
// wins. Nobody waits for it but the next deploy.
func (f following) follow(ctx context.Context, w *work, active *v1alpha1.Release) {
	owed, live := w.bg.Status.WorkersOwed, w.o.Routes.Live()
	if owed == nil || live == "" || w.bg.Status.Active != nil && !leavesWorkers(active) {
		return
	}
	settled := true
	owed.Kept = nil
	for _, worker := range w.o.Workers {
		step, err := f.step(ctx, w, worker)
		if step == track.FollowNothing {
			continue
		}
		settled = false
		to, from := worker.Sides[live], worker.Sides[live.Other()]
		switch {
		case err != nil:
		case step == track.FollowRecall:
			err = f.workers.Recall(ctx, w.bg, to, track.WorkerSize(to, from, true), owed.By)
		case step == track.FollowStop:
			err = f.workers.Stop(ctx, w.bg, from, owed.By)
		}
		if err == nil {
			continue // the watch of its Deployment continues
		}
		wait := retryMinimum
		switch {
		case apierrors.IsConflict(err):
			wait = afterRace
		case apierrors.IsForbidden(err):
			wait = retryShrink
		}
		w.log.WarnContext(ctx, "a worker will follow users later", "worker", worker.Name, "error", err)
		w.wakeAt(w.o.Now.Add(wait))
	}
	if settled {
		w.bg.Status.WorkersOwed = nil
	}
}

// step finds out what makes a worker follow users next. It asks its pods about their queue, and who
// else sends users there, only if that decides.
func (f following) step(ctx context.Context, w *work, worker track.Worker) (track.FollowStep, error) {
	owed, live := w.bg.Status.WorkersOwed, w.o.Routes.Live()
	d := track.Departure{Now: w.o.Now, DrainedAt: track.DrainedAt(w.bg, live.Other(), ""), Reached: w.o.Unconfirmed}
	step := worker.Next(owed.By, live, d)
	if step == track.FollowAsk {
		d.Queue = f.emptying.ask(ctx, w, worker)
		step = worker.Next(owed.By, live, d)
		if step == track.FollowStop {
			users, err := f.routes.Referrers(ctx, w.bg.Namespace, w.bg.Side(live.Other()).Service)
			if err != nil {
				return track.FollowAsk, err
			}
			if len(users) > 0 {
				d.Reached = "service " + w.bg.Side(live.Other()).Service + " is still used by " + strings.Join(users, ", ")
				w.wakeAt(w.o.Now.Add(retryShrink))
				step = worker.Next(owed.By, live, d)
			}
		}
	}
	if step == track.FollowDrain || step == track.FollowAsk {
		if w.o.Now.Before(d.DrainedAt) {
			w.wakeAt(d.DrainedAt)
		}
		state, detail := d.State()
		owed.Kept = append(owed.Kept, v1alpha1.KeptWorker{
			Worker: worker.Name, Deployment: worker.Sides[live.Other()].Deployment, State: state, Detail: detail,
		})
	}
	return step, nil
}

// leavesWorkers reports whether the active release leaves workers as they are so far.
func leavesWorkers(r *v1alpha1.Release) bool {
	return r != nil && r.Spec.Kind == v1alpha1.Deploy && r.Status.Failure == nil && r.Status.Milestones.WorkersIntendedAt == nil
}
