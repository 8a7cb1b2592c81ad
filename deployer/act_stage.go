package deployer

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// attach makes sure that the target's Service exists and is referenced by the
// Ingress under the standby host. It comes before the staging, since pods made
// earlier carry no trustworthy readiness gate on the GCE load balancer.
func (a *attempt) attach(ctx context.Context) (pause, error) {
	if err := a.mayStageOver(ctx); err != nil {
		return pause{}, err
	}
	if err := a.lookAround(ctx); err != nil {
		return pause{}, err
	}
	created, err := a.d.Workloads.CreateMissing(ctx, a.bg, a.target())
	if err != nil {
		return pause{}, err
	}
	for _, object := range created {
		a.finding("created " + object + " from its live counterpart")
	}
	a.tellProtection(ctx)
	if err := a.moveRoutes(ctx, func() error { return a.d.Routes.Attach(ctx, a.bg, a.o.Routes, a.target()) }); err != nil {
		return pause{}, err
	}
	if !a.o.Routes.Attached(a.target()) {
		return pause{until: a.o.Now, message: "attaching"}, nil
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.AttachedAt = &now
	a.say(a.o.Target.Service + " is reachable under " + a.o.Routes.StandbyHost)
	return pause{}, nil
}

// stage makes the target run the image, at the live colour's size.
func (a *attempt) stage(ctx context.Context) (pause, error) {
	return a.run(ctx, workload.StageRequest{
		Target: a.target(), Image: a.rel.Status.Milestones.Built.Image,
		Commit: a.rel.Spec.Deploy.Commit, Release: a.rel.Name, Replicas: a.o.Size,
	})
}

// size makes the version to return to run, at the live colour's size. While it
// is held there is nothing to do; at a standby size it is scaled; if something
// else was staged over it, it is staged again, without a build.
func (a *attempt) size(ctx context.Context) (pause, error) {
	to, t := a.rel.Spec.Rollback.To, a.o.Target
	if t.TemplateHash == "" || t.TemplateHash != to.TemplateHash || (t.RunningImage != "" && t.RunningImage != to.Image) {
		return a.run(ctx, workload.StageRequest{
			Target: a.target(), Image: to.Image, Commit: to.Commit, Release: a.rel.Name, Replicas: a.o.Size,
		})
	}
	if err := a.raiseMinimum(ctx, a.o.Size); err != nil {
		return pause{}, err
	}
	if t.Replicas < a.o.Size {
		if err := a.d.Workloads.Scale(ctx, a.bg, a.target(), a.o.Size); err != nil {
			return pause{}, err
		}
		return pause{message: fmt.Sprintf("sizing %s to %d", t.Deployment, a.o.Size)}, nil
	}
	return a.rolledOut(ctx)
}

// run stages what is asked for and waits until it runs completely. What was noted
// of the target is durable before: afterwards nobody can see what was there.
func (a *attempt) run(ctx context.Context, want workload.StageRequest) (pause, error) {
	if a.rel.Status.Drift != a.saved.Drift || len(a.rel.Status.Findings) != len(a.saved.Findings) {
		if err := a.save(ctx); err != nil {
			return pause{}, err
		}
	}
	err, changed := a.raiseMinimum(ctx, want.Replicas), false
	if err == nil {
		changed, err = a.d.Workloads.Stage(ctx, a.bg, want)
	}
	if apierrors.IsConflict(err) || apierrors.IsInvalid(err) && changed {
		return pause{until: a.o.Now, message: "the target changed meanwhile: looking again"}, nil
	}
	if err != nil {
		return pause{}, err
	}
	t := a.o.Target
	if changed || t.Release != want.Release || t.Image != want.Image || t.Replicas < want.Replicas {
		return pause{message: fmt.Sprintf("starting %d pods of %s", want.Replicas, t.Deployment)}, nil
	}
	return a.rolledOut(ctx)
}

// raiseMinimum keeps the target's autoscaler, which sees no load there, from
// scaling it down again before users come. It stays raised until the release has
// ended, see [work.minimums].
func (a *attempt) raiseMinimum(ctx context.Context, size int32) error {
	a.tellAutoscaler()
	return a.d.Workloads.RaiseMinimum(ctx, a.bg, a.o.Target, size)
}

// rolledOut waits for every pod of the target, and notices early that they will
// not come.
func (a *attempt) rolledOut(ctx context.Context) (pause, error) {
	t := a.o.Target
	if t.Failure != nil {
		f := releaseFault(t.Failure.Reason, "%s", t.Failure.Message)
		f.evidence = a.d.Workloads.Evidence(ctx, a.bg, t)
		return pause{}, f
	}
	if !t.RolledOut || t.TemplateHash == "" {
		return pause{until: t.LookAgainAt, message: t.Progress}, nil
	}
	a.rel.Status.Milestones.Staged = &v1alpha1.StagedMilestone{
		Image: t.Image, TemplateHash: t.TemplateHash, Replicas: t.Replicas, At: metav1.NewTime(a.o.Now),
	}
	a.say(fmt.Sprintf("%d pods of %s run %s", t.Replicas, t.Deployment, a.rel.Status.Version))
	return pause{}, nil
}

// warm waits until requests to the target's Service reach every pod of it.
func (a *attempt) warm(context.Context) (pause, error) {
	if !endpointsReady(a.rel, a.o) {
		ready := 0
		for _, pod := range a.o.Target.Pods {
			if slices.Contains(a.o.Endpoints, pod.Name) {
				ready++
			}
		}
		return pause{message: fmt.Sprintf("%d of %d pods are ready endpoints of service %s", ready, len(a.o.Target.Pods), a.o.Target.Service)}, nil
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.WarmedAt = &now
	a.say(fmt.Sprintf("%d ready endpoints", len(a.o.Target.Pods)))
	return pause{}, nil
}

func (a *attempt) target() v1alpha1.Color { return a.rel.Status.Milestones.Target }
