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

// singletonsAct gives the singletons the image of the version that users have.
type singletonsAct struct {
	recorder
	workers interface {
		SetImage(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Singleton, q workload.StartRequest) error
	}
}

// singletonsPatience is how long the soak waits for a Deployment that temporarily cannot be
// written.
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
	image, commit := track.SingletonsGet(a.rel)
	for _, s := range a.o.Singletons {
		if !s.DeploymentExists || !s.Recreate {
			a.finding(fmt.Sprintf("singleton %s does not get this version: there is no such deployment with the strategy Recreate", s.Deployment))
			continue
		}
		err := act.workers.SetImage(ctx, a.bg, s, workload.StartRequest{
			Image: image, Commit: commit, Release: a.rel.Name, By: track.WorkersBy(a.rel),
		})
		switch patient := a.o.Now.Sub(a.entry().StartedAt.Time) < singletonsPatience; {
		case err == nil:
		case patient && apierrors.IsConflict(err):
			return workerChanged(a, s.WorkerSide), nil
		case patient:
			return pause{}, err
		default:
			a.finding(fmt.Sprintf("singleton %s keeps another version: %v", s.Deployment, err))
		}
	}
	if a.rel.Status.Failure != nil {
		m.SingletonsBackAt = &now
	} else {
		m.SingletonsAt = &now
	}
	a.say(fmt.Sprintf("%d singletons get the version that users have", len(a.o.Singletons)))
	return pause{}, nil
}
