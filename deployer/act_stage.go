package deployer

import (
	"context"
	"fmt"
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// stageAct makes the target run the image.
type stageAct struct {
	rollout   rollout
	routes    referrersReader
	workloads scaler
}

// do makes the target run the image, at the live colour's size.
func (act stageAct) do(ctx context.Context, a *attempt) (pause, error) {
	if p, err := act.renew(ctx, a); err != nil || p.rests() {
		return p, err
	}
	return act.rollout.run(ctx, a, workload.StageRequest{
		Target: a.target(), Image: a.rel.Status.Milestones.Built.Image,
		Commit: a.rel.Spec.Deploy.Commit, Release: a.rel.Name, Replicas: a.o.Size,
	})
}

// renew deletes the pods that this release started before their Service was referenced, so that
// they are created again. The load balancer let the old ones through and will never report their
// health. No user reaches them.
func (act stageAct) renew(ctx context.Context, a *attempt) (pause, error) {
	t := a.o.Target
	old := func(p track.Pod) bool { return !p.Terminating && track.LetThroughUnreferenced(p) }
	if !a.o.OnGCE() || t.Release != a.rel.Name || !slices.ContainsFunc(t.Pods, old) {
		return pause{}, nil
	}
	referrers, err := act.routes.Referrers(ctx, a.bg.Namespace, t.Service)
	if err != nil || len(referrers) > 0 {
		return pause{}, err
	}
	if err := act.workloads.Scale(ctx, a.bg, a.target(), 0); err != nil {
		return pause{}, err
	}
	return pause{
		message: fmt.Sprintf("replaces pods of %s that were started before the ingress named service %s", t.Deployment,
			t.Service),
		waits: waitsForPods(v1alpha1.BecauseRenewed, t.Deployment, 0, t.Replicas),
	}, nil
}
