package deployer

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// recallAct starts the workers of the version that users go back to.
type recallAct struct {
	recorder
	workers interface {
		workerStarter
		Recall(ctx context.Context, bg *v1alpha1.BlueGreen, s track.WorkerSide, size int32, by string) error
	}
}

// do starts the workers again, before anything else, so that they are there when users come back.
// It does not wait for them, and an error does not keep users waiting. What it undoes must be
// recorded first: otherwise a process that ends here leaves a release that goes on, with workers
// that went back.
func (act recallAct) do(ctx context.Context, a *attempt) (pause, error) {
	if err := act.save(ctx, a); err != nil {
		return pause{}, err
	}
	to := track.WorkersGoTo(a.rel)
	for _, w := range a.o.Workers {
		side := w.Sides[to]
		if !side.DeploymentExists {
			a.finding(fmt.Sprintf("worker %s has no deployment %s, so it is not brought back", w.Name, side.Deployment))
			continue
		}
		err := act.recall(ctx, a, w, to)
		switch {
		case err == nil:
		case a.o.Now.Sub(a.entry().StartedAt.Time) < recallPatience && apierrors.IsConflict(err):
			return workerChanged(a, side), nil
		case a.o.Now.Sub(a.entry().StartedAt.Time) < recallPatience && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) &&
			!errors.Is(err, errForgotten):
			return pause{}, err
		default:
			a.finding(fmt.Sprintf("users go back although worker %s could not be brought back: %v", w.Name, err),
				v1alpha1.Kubectl("scale", "deployment", side.Deployment, a.bg.Namespace, fmt.Sprintf("--replicas=%d", sizeBack(w, to))))
		}
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.RecalledAt = &now
	a.say("started again: " + workerNames(a.o.Workers, to))
	return pause{}, nil
}

// recallPatience is how long users wait for a worker's Deployment that temporarily cannot be
// written: one or two attempts.
const recallPatience = stampPatience

// sizeBack is the size to which a worker comes back.
func sizeBack(w track.Worker, to v1alpha1.Color) int32 {
	return track.WorkerSize(w.Sides[to], w.Sides[to.Other()], true)
}

// recall brings one worker back. If another release was staged over it, as over a colour, it
// gets the image of the version that users go back to.
func (act recallAct) recall(ctx context.Context, a *attempt, w track.Worker, to v1alpha1.Color) error {
	side, by := w.Sides[to], track.WorkersBy(a.rel)
	if r := a.rel.Spec.Rollback; r != nil && side.Release != r.To.Release && side.MovedBy != by {
		image := track.Gets(a.rel, w.Beside(to))
		if image == "" {
			return errForgotten
		}
		_, err := act.workers.Start(ctx, a.bg, w, workload.StartRequest{
			Target: to, Image: image, Commit: r.To.Commit, Release: a.rel.Name, By: by, Replicas: sizeBack(w, to),
		})
		return err
	}
	return act.workers.Recall(ctx, a.bg, side, sizeBack(w, to), by)
}
