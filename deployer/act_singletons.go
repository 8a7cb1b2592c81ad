package deployer

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// singletonsAct gives the singletons and the CronJobs the image of the version that users have.
type singletonsAct struct {
	recorder
	workers interface {
		SetImage(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Singleton, q workload.StartRequest) error
		SetCronJob(ctx context.Context, bg *v1alpha1.BlueGreen, j track.CronJob, q workload.StartRequest) error
	}
}

// singletonsPatience is how long the soak waits for an object that temporarily cannot be written.
const singletonsPatience = 10 * time.Second

// do writes the image, and does not wait for the pods: the strategy Recreate ends the old pod
// before a new one starts, and nobody may hurry that. Its intent, or the failure that it undoes,
// is recorded first.
func (act singletonsAct) do(ctx context.Context, a *attempt) (pause, error) {
	m, now := &a.rel.Status.Milestones, metav1.NewTime(a.o.Now)
	if m.SingletonsIntendedAt == nil {
		m.SingletonsIntendedAt = &now
	}
	if err := act.save(ctx, a); err != nil {
		return pause{}, err
	}
	for _, s := range a.o.Singletons {
		if !s.DeploymentExists || !s.Recreate {
			a.finding(fmt.Sprintf("singleton %s does not get this version: there is no such deployment with the strategy Recreate", s.Deployment))
			continue
		}
		q, known := act.request(a, s.Beside(), "singleton "+s.Deployment)
		if !known {
			continue
		}
		err := act.workers.SetImage(ctx, a.bg, s, q)
		if apierrors.IsConflict(err) && act.patient(a) {
			return workerChanged(a, s.WorkerSide), nil
		}
		if err := act.settle(a, "singleton "+s.Deployment, err); err != nil {
			return pause{}, err
		}
	}
	for _, j := range a.o.CronJobs {
		if !j.Exists {
			a.finding(fmt.Sprintf("CronJob %s does not get this version: there is none of that name, or Turnout may not read it", j.Name))
			continue
		}
		q, known := act.request(a, j.Beside(), "CronJob "+j.Name)
		if !known {
			continue
		}
		if err := act.settle(a, "CronJob "+j.Name, act.workers.SetCronJob(ctx, a.bg, j, q)); err != nil {
			return pause{}, err
		}
	}
	if a.rel.Status.Failure != nil {
		m.SingletonsBackAt = &now
	} else {
		m.SingletonsAt = &now
	}
	a.say(fmt.Sprintf("%d singletons and %d CronJobs get the version that users have", len(a.o.Singletons), len(a.o.CronJobs)))
	return pause{}, nil
}

// request is the version that something gets; known is false if nobody knows its image.
func (act singletonsAct) request(a *attempt, b track.Beside, what string) (q workload.StartRequest, known bool) {
	image := track.Gets(a.rel, b)
	switch {
	case image != "":
	case track.EndsForward(a.rel):
		a.finding(fmt.Sprintf("%s keeps another version: %v", what, notBuilt(a, b)))
	default:
		a.finding(fmt.Sprintf("%s keeps another version: %v", what, errForgotten))
	}
	return workload.StartRequest{Image: image, Commit: track.EndCommit(a.rel), Release: a.rel.Name, By: track.WorkersBy(a.rel)}, image != ""
}

func (act singletonsAct) patient(a *attempt) bool {
	return a.o.Now.Sub(a.entry().StartedAt.Time) < singletonsPatience
}

// settle returns an error that is worth another attempt. Later it is a finding, since nobody
// waits longer.
func (act singletonsAct) settle(a *attempt, what string, err error) error {
	if err == nil || act.patient(a) {
		return err
	}
	a.finding(fmt.Sprintf("%s keeps another version: %v", what, err))
	return nil
}
