package deployer

import (
	"context"

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
	workers interface {
		workerStopper
		Recall(ctx context.Context, bg *v1alpha1.BlueGreen, s track.WorkerSide, size int32, by string) error
	}
}

// follow starts the workers of the users' version, and once they work stops the others. It writes
// each of them once: whoever scales one after that wins. Nobody waits for it.
func (f following) follow(ctx context.Context, w *work, active *v1alpha1.Release) {
	owed, live := w.bg.Status.WorkersOwed, w.o.Routes.Live()
	if owed == nil || live == "" || w.bg.Status.Active != nil && !leavesWorkers(active) {
		return
	}
	settled := true
	for _, worker := range w.o.Workers {
		if worker.Follows(owed.By) {
			continue
		}
		to, from := worker.Sides[live], worker.Sides[live.Other()]
		if !to.DeploymentExists {
			continue // there is nothing to return to, and somebody must do the work
		}
		settled = false
		var err error
		switch {
		case to.MovedBy != owed.By:
			err = f.workers.Recall(ctx, w.bg, to, track.WorkerSize(to, from, true), owed.By)
		case to.Works():
			err = f.workers.Stop(ctx, w.bg, from, owed.By)
		}
		if err == nil {
			continue // the watch of its Deployment continues
		}
		wait := retryShrink
		if apierrors.IsConflict(err) {
			wait = afterRace
		}
		w.log.WarnContext(ctx, "a worker will follow users later", "worker", worker.Name, "error", err)
		w.wakeAt(w.o.Now.Add(wait))
	}
	if settled {
		w.bg.Status.WorkersOwed = nil
	}
}

// leavesWorkers reports whether the active release leaves workers as they are so far.
func leavesWorkers(r *v1alpha1.Release) bool {
	return r != nil && r.Spec.Kind == v1alpha1.Deploy && r.Status.Failure == nil && r.Status.Milestones.WorkersIntendedAt == nil
}
