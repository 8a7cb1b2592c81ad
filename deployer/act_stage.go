package deployer

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// stage makes the target run the image, at the live colour's size.
func (a *attempt) stage(ctx context.Context) (pause, error) {
	if p, err := a.renew(ctx); err != nil || p.rests() {
		return p, err
	}
	return a.run(ctx, workload.StageRequest{
		Target: a.target(), Image: a.rel.Status.Milestones.Built.Image,
		Commit: a.rel.Spec.Deploy.Commit, Release: a.rel.Name, Replicas: a.o.Size,
	})
}

// renew ends the pods that this release started before their Service was
// referenced, so that they are made anew: the load balancer let them through and
// will never say whether it finds them healthy. No user reaches them.
func (a *attempt) renew(ctx context.Context) (pause, error) {
	t := a.o.Target
	old := func(p track.Pod) bool { return !p.Terminating && track.LetThroughUnreferenced(p) }
	if !a.onGCE() || t.Release != a.rel.Name || !slices.ContainsFunc(t.Pods, old) {
		return pause{}, nil
	}
	referrers, err := a.d.Routes.Referrers(ctx, a.bg.Namespace, t.Service)
	if err != nil || len(referrers) > 0 {
		return pause{}, err
	}
	if err := a.d.Workloads.Scale(ctx, a.bg, a.target(), 0); err != nil {
		return pause{}, err
	}
	return pause{
		message: fmt.Sprintf("ends pods of %s that were started before the ingress named service %s, to make them anew", t.Deployment,
			t.Service),
		waits: waitsForPods(v1alpha1.BecauseRenewed, t.Deployment, 0, t.Replicas),
	}, nil
}

// run stages what is asked for and waits until it runs completely.
func (a *attempt) run(ctx context.Context, want workload.StageRequest) (pause, error) {
	if p, err := a.put(ctx, want); err != nil || p.rests() {
		return p, err
	}
	return a.rolledOut(ctx)
}

// put stages what is asked for; it returns the zero pause once it is there. What
// was noted of the target is durable before: afterwards nobody can see what was
// there.
func (a *attempt) put(ctx context.Context, want workload.StageRequest) (pause, error) {
	if a.rel.Status.Drift != a.saved.Drift || len(a.rel.Status.Findings) != len(a.saved.Findings) {
		if err := a.save(ctx); err != nil {
			return pause{}, err
		}
	}
	err, changed := a.raiseMinimum(ctx, want.Replicas), false
	if err == nil {
		changed, err = a.d.Workloads.Stage(ctx, a.bg, want)
	}
	if apierrors.IsConflict(err) {
		return pause{
			until: a.o.Now, message: "the target changed meanwhile: looking again",
			waits: track.WaitsForObject(v1alpha1.WaitsForDeployment, "", a.o.Target.Deployment),
		}, nil
	}
	if err != nil {
		return pause{}, err
	}
	t := a.o.Target
	if changed || t.Release != want.Release || t.Image != want.Image || t.Replicas < want.Replicas {
		return pause{
			message: fmt.Sprintf("starting %d pods of %s", want.Replicas, t.Deployment),
			waits:   waitsForPods(v1alpha1.BecauseStarting, t.Deployment, 0, want.Replicas),
		}, nil
	}
	return pause{}, nil
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
	if err := a.startFault(ctx); err != nil {
		return pause{}, err
	}
	if !t.RolledOut || t.TemplateHash == "" {
		return pause{until: t.LookAgainAt, message: a.progress(), waits: a.waitsForRollout()}, nil
	}
	a.rel.Status.Milestones.Staged = &v1alpha1.StagedMilestone{
		Image: t.Image, TemplateHash: t.TemplateHash, Replicas: t.Replicas, At: metav1.NewTime(a.o.Now),
	}
	a.sayStaged()
	return pause{}, nil
}

func (a *attempt) sayStaged() {
	a.say(fmt.Sprintf("%d pods of %s run %s", a.o.Target.Replicas, a.o.Target.Deployment, a.rel.Status.Version))
}

// progress says how far the rollout is, and whether it is the load balancer that
// is waited for.
func (a *attempt) progress() string {
	waiting := 0
	for _, p := range a.o.Target.Pods {
		if !p.Terminating && track.WaitsForLoadBalancer(p) {
			waiting++
		}
	}
	if waiting == 0 {
		return a.o.Target.Progress
	}
	return fmt.Sprintf("%s, %d run and wait for the load balancer to find them healthy", a.o.Target.Progress, waiting)
}

// waitsForRollout is the same in facts.
func (a *attempt) waitsForRollout() *v1alpha1.Waiting {
	t := a.o.Target
	if slices.ContainsFunc(t.Pods, func(p track.Pod) bool { return !p.Terminating && track.WaitsForLoadBalancer(p) }) {
		return &v1alpha1.Waiting{
			For: v1alpha1.WaitsForLoadBalancer, Because: v1alpha1.BecauseHealth, Object: t.Service, Done: t.Available, Of: t.Replicas,
		}
	}
	return waitsForPods(v1alpha1.BecauseRollout, t.Deployment, t.Available, t.Replicas)
}

// startFault returns why the target's pods will not start, if that can be told.
func (a *attempt) startFault(ctx context.Context) error {
	t := a.o.Target
	if t.Failure == nil {
		return nil
	}
	f := releaseFault(t.Failure.Reason, "%s", t.Failure.Message)
	f.evidence = a.d.Workloads.Evidence(ctx, a.bg, t)
	return f
}

func (a *attempt) target() v1alpha1.Color { return a.rel.Status.Milestones.Target }
