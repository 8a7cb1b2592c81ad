package deployer

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// workersAct lets the target's workers take over from those of the previous version.
type workersAct struct {
	recorder
	measuring measuring
	halting   halting
	workers   interface {
		workerStarter
		CreateMissing(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) (created []string, err error)
		workerEvidence
	}
}

// do starts the target's workers, which are approved like the switch, and once they all work
// stops those of the previous version. It is the last step before the switch, so that users and
// workers are of different versions for as short as possible; what the switch would wait for
// comes first. Its intent is durable before anything of it: an undo brings the workers back.
func (act workersAct) do(ctx context.Context, a *attempt) (pause, error) {
	m := &a.rel.Status.Milestones
	if m.WorkersIntendedAt == nil {
		measured := act.measuring.measured(a)
		if full := act.measuring.baseline(a, measured); !full.IsZero() {
			return waitsForBaseline(a, measured, full), nil
		}
		now := metav1.NewTime(a.o.Now)
		m.WorkersIntendedAt = &now
		if err := act.save(ctx, a); err != nil {
			return pause{}, err
		}
	}
	created, err := act.workers.CreateMissing(ctx, a.bg, a.target())
	if err != nil {
		return pause{}, err
	}
	for _, object := range created {
		a.finding("created " + object + " from its live counterpart")
	}
	if p, err := act.start(ctx, a); err != nil || p.rests() {
		return p, err
	}
	if p, err := act.work(ctx, a); err != nil || p.rests() {
		return p, err
	}
	if p, err := act.halting.stop(ctx, a, a.target().Other()); err != nil || p.rests() {
		return p, err
	}
	now := metav1.NewTime(a.o.Now)
	m.WorkersAt = &now
	a.say("tasks go to " + workerNames(a.o.Workers, a.target()) + keptNames(a, a.target().Other()))
	return pause{}, nil
}

// start makes the target's workers run the release's image.
func (act workersAct) start(ctx context.Context, a *attempt) (pause, error) {
	var p pause
	for _, w := range a.o.Workers {
		to, from := w.Sides[a.target()], w.Sides[a.target().Other()]
		size := track.WorkerSize(to, from, false)
		image := track.Gets(a.rel, w.Beside(a.target()))
		if image == "" {
			return pause{}, notBuilt(a, w.Beside(a.target()))
		}
		changed, err := true, error(nil)
		if to.DeploymentExists { // else it was created just now
			changed, err = act.workers.Start(ctx, a.bg, w, workload.StartRequest{
				Target: a.target(), Image: image, Commit: a.rel.Spec.Deploy.Commit, Release: a.rel.Name, By: track.WorkersBy(a.rel), Replicas: size,
			})
		}
		switch {
		case apierrors.IsConflict(err):
			return workerChanged(a, to), nil
		case err != nil:
			return pause{}, err
		case changed:
			p = pause{
				message: fmt.Sprintf("starting %d pods of %s", size, to.Deployment),
				waits:   waitsForWorker(v1alpha1.BecauseStarting, to, 0, size),
			}
		}
	}
	return p, nil
}

// work waits until the target's workers do their work, and notices early if one cannot.
func (act workersAct) work(ctx context.Context, a *attempt) (pause, error) {
	s, waits := a.o.Idle(a.target())
	if !waits {
		return pause{}, nil
	}
	if s.Failure != nil {
		f := releaseFault(s.Failure.Reason, "%s", s.Failure.Message)
		f.evidence = act.workers.Evidence(ctx, a.bg, a.target(), a.o.Workers)
		return pause{}, f
	}
	return pause{
		until: s.LookAgainAt, message: fmt.Sprintf("deployment %s: %s", s.Deployment, s.Progress),
		waits: waitsForWorker(v1alpha1.BecauseRollout, s, s.Available, s.Replicas),
	}, nil
}
