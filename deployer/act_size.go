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

	configuration configuration
}

// do scales the version to return to, to the live colour's size. A held version has that size
// already. A version at standby size is scaled. A version over which something else was staged is
// staged again, without a build.
func (act sizeAct) do(ctx context.Context, a *attempt) (pause, error) {
	// The Ingress has referenced it ever since users left it. If somebody removed the reference,
	// it is restored before any pod starts. A held version needs no report of the load balancer's
	// controller: its pods have served users. A version that has some of the users is referenced.
	look := track.LookOf(a.rel, a.o)
	if (a.o.OnGCE() || a.o.Routes.Gateway != nil) && a.o.Routes.Live() == a.target().Other() && !look.Held() && !look.Shared {
		if p, err := act.reference.reference(ctx, a); err != nil || p.rests() {
			return p, err
		}
	}
	act.reference.tellLoadBalancer(a)
	to, t := a.rel.Spec.Rollback.To, a.o.Target
	if !track.Runs(t, to) {
		if look.Shared && len(t.Ready()) > 0 {
			return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTargetInUse, message: fmt.Sprintf(
				"deployment %s has users, and no longer runs %s, so nothing is staged over it: give one service all of the weight in %s",
				t.Deployment, to.Short(), a.o.Routes)}
		}
		if t.Release != a.rel.Name {
			act.configuration.record(ctx, a)
		}
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
