package deployer

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

type (
	// workerStarter makes a worker run a version.
	workerStarter interface {
		Start(ctx context.Context, bg *v1alpha1.BlueGreen, w track.Worker, q workload.StartRequest) (changed bool, err error)
	}

	// workerStopper stops a worker.
	workerStopper interface {
		Stop(ctx context.Context, bg *v1alpha1.BlueGreen, s track.WorkerSide, by string) error
	}
)

// workerEvidence reads why workers do not start.
type workerEvidence interface {
	Evidence(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color, workers []track.Worker) []v1alpha1.Evidence
}

// halting stops the workers of one side.
type halting struct{ workers workerStopper }

// stop stops a side's workers, and waits until they have ended, or had all of their grace period
// for it. Then it returns the zero pause. Workers with tasks of users in a queue of their own run on.
func (s halting) stop(ctx context.Context, a *attempt, c v1alpha1.Color) (pause, error) {
	by := track.WorkersBy(a.rel)
	var stops []track.Worker
	for _, w := range a.o.Workers {
		if track.StopsWithRelease(a.rel, w, c) {
			stops = append(stops, w)
		}
	}
	for _, w := range stops {
		switch err := s.workers.Stop(ctx, a.bg, w.Sides[c], by); {
		case apierrors.IsConflict(err):
			return workerChanged(a, w.Sides[c]), nil
		case err != nil:
			return pause{}, err
		}
	}
	for _, w := range stops {
		side := w.Sides[c]
		if side.Ended(a.o.Now) {
			continue
		}
		p := pause{
			until: side.LeftUntil, message: fmt.Sprintf("waits until the pods of deployment %s have ended", side.Deployment),
			waits: waitsForPods(v1alpha1.BecauseEnding, side.Deployment, 0, max(1, int32(side.Left))), //nolint:gosec // pods of one Deployment
		}
		if side.MovedBy == by && side.Replicas > 0 {
			p.message = fmt.Sprintf("deployment %s was stopped, and has the size %d again: somebody else scales it", side.Deployment, side.Replicas)
		}
		p.waits.Until = track.Stamp(side.LeftUntil)
		return p, nil
	}
	return pause{}, nil
}

// workerChanged is the wait for a look at a Deployment that was written meanwhile.
func workerChanged(a *attempt, s track.WorkerSide) pause {
	return pause{
		until: a.o.Now.Add(afterRace), message: "deployment " + s.Deployment + " changed meanwhile: looking again",
		waits: track.WaitsForObject(v1alpha1.WaitsForDeployment, "", s.Deployment),
	}
}

// waitsForWorker is the wait for a worker's pods; without any, for its Deployment.
func waitsForWorker(because v1alpha1.WaitingBecause, s track.WorkerSide, there, of int32) *v1alpha1.Waiting {
	if of == 0 {
		return track.WaitsForObject(v1alpha1.WaitsForDeployment, "", s.Deployment)
	}
	return waitsForPods(because, s.Deployment, there, of)
}

// workerNames names the workers of a side for people.
func workerNames(workers []track.Worker, c v1alpha1.Color) string {
	var names []string
	for _, w := range workers {
		names = append(names, fmt.Sprintf("%s at size %d", w.Sides[c].Deployment, w.Sides[c].Replicas))
	}
	return strings.Join(names, ", ")
}

// keptNames says which workers of a side work on after a release; "" if none does.
func keptNames(a *attempt, c v1alpha1.Color) string {
	var names []string
	for _, w := range a.o.Workers {
		if s := w.Sides[c]; s.Replicas > 0 && !track.StopsWithRelease(a.rel, w, c) {
			names = append(names, s.Deployment)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; until their queues are empty, these work on: " + strings.Join(names, ", ")
}

// tellSingletons reports, at the end of a release, the singletons that do not run its version
// yet. Nobody waits for them, and nobody deletes a pod by force.
func tellSingletons(a *attempt) {
	if a.rel.Status.Milestones.SingletonsIntendedAt == nil {
		return
	}
	for _, s := range a.o.Singletons {
		switch {
		case s.Works() || !s.DeploymentExists:
		case s.Stuck(a.o.Now):
			a.finding(fmt.Sprintf("a pod of singleton %s has had its grace period, and is still there: no new one starts until it is gone. "+
				"Turnout deletes none by force: look at its node", s.Deployment))
		default:
			a.finding(fmt.Sprintf("singleton %s does not run yet: %s", s.Deployment, s.Progress))
		}
	}
}
