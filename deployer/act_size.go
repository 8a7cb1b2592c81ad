package deployer

import (
	"context"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// sizeAct scales the version to return to, to the size that users need.
type sizeAct struct {
	reference reference
	rollout   rollout
	workloads scaler
}

// do scales the version to return to, to the live colour's size. A held version has that size
// already. A version at standby size is scaled. A version over which something else was staged is
// staged again, without a build.
func (act sizeAct) do(ctx context.Context, a *attempt) (pause, error) {
	// The Ingress has referenced it ever since users left it. If somebody removed the reference,
	// it is restored before any pod starts. A held version needs no report of the load balancer's
	// controller: its pods have served users.
	if (a.o.OnGCE() || a.o.Routes.Gateway != nil) && a.o.Routes.Live() == a.target().Other() && !track.LookOf(a.rel, a.o).Held() {
		if p, err := act.reference.reference(ctx, a); err != nil || p.rests() {
			return p, err
		}
	}
	act.reference.tellLoadBalancer(a)
	to, t := a.rel.Spec.Rollback.To, a.o.Target
	if !track.Runs(t, to) {
		return act.rollout.run(ctx, a, workload.StageRequest{
			Target: a.target(), Image: to.Image, Commit: to.Commit, Release: a.rel.Name, Replicas: a.o.Size,
		})
	}
	if err := act.rollout.raiseMinimum(ctx, a, a.o.Size); err != nil {
		return pause{}, err
	}
	if t.Replicas < a.o.Size {
		if err := act.workloads.Scale(ctx, a.bg, a.target(), a.o.Size); err != nil {
			return pause{}, err
		}
		return pause{
			message: fmt.Sprintf("sizing %s to %d", t.Deployment, a.o.Size),
			waits:   waitsForPods(v1alpha1.BecauseStarting, t.Deployment, t.Available, a.o.Size),
		}, nil
	}
	return act.rollout.rolledOut(ctx, a)
}
