package deployer

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// attachAct makes the load balancer use the target before anything runs there.
type attachAct struct {
	survey    survey
	reference reference
	rollout   rollout
	routes    interface {
		NamesHealthCheck(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) (bool, error)
	}
	workloads interface {
		CreateMissing(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) (created []string, err error)
	}
}

// do makes sure that the target's Service exists, that the Ingress references it under the
// standby host, and that the load balancer has it. This comes before staging: on Google's load
// balancer, the readiness gates of pods created earlier prove nothing.
func (act attachAct) do(ctx context.Context, a *attempt) (pause, error) {
	if err := act.survey.mayStageOver(ctx, a); err != nil {
		return pause{}, err
	}
	if err := act.survey.lookAround(ctx, a); err != nil {
		return pause{}, err
	}
	created, err := act.workloads.CreateMissing(ctx, a.bg, a.target())
	if err != nil {
		return pause{}, err
	}
	for _, object := range created {
		a.finding("created " + object + " from its live counterpart")
	}
	act.survey.tellProtection(ctx, a)
	if p, err := act.seed(ctx, a); err != nil || p.rests() {
		return p, err
	}
	if p, err := act.reference.reference(ctx, a); err != nil || p.rests() {
		return p, err
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.AttachedAt = &now
	a.say(a.o.Routes.StandbyPlace() + " leads to " + a.o.Target.Service)
	return pause{}, nil
}

// seed runs one pod of the version before the target's Service is referenced for the first time.
// Google's load balancer then creates its health check with the path of a pod's readiness probe,
// or with / if there is no pod, and never copies it again. A BackendConfig that names the path
// makes the seed unnecessary.
func (act attachAct) seed(ctx context.Context, a *attempt) (pause, error) {
	// A reference without a port proves nothing about that port.
	_, taken := track.TakenUp(a.o.Target.Service, a.o.Groups)
	if !a.o.OnGCE() || a.o.Routes.Attached(a.target()) || taken && len(a.o.Routes.Standby[a.target()]) == 0 {
		return pause{}, nil
	}
	// Report what prevents the reference before starting anything.
	if err := act.reference.checkTranslation(ctx, a); err != nil {
		return pause{}, err
	}
	named, err := act.routes.NamesHealthCheck(ctx, a.bg, a.o.Routes, a.target())
	if err != nil || named {
		return pause{}, err
	}
	t := a.o.Target
	ready := slices.ContainsFunc(t.Pods, func(p track.Pod) bool { return p.Ready && !p.Terminating })
	if t.Release != a.rel.Name && ready && act.sameProbe(a) {
		return pause{}, nil
	}
	if t.Release == a.rel.Name {
		if ready {
			return pause{}, nil
		}
		if err := act.rollout.startFault(ctx, a); err != nil {
			return pause{}, err
		}
		return pause{
			until:   t.LookAgainAt,
			message: "starts one pod: the load balancer creates its health check from the pod's readiness probe: " + t.Progress,
			waits:   waitsForPods(v1alpha1.BecauseSeed, t.Deployment, t.Available, 1),
		}, nil
	}
	return act.rollout.put(ctx, a, workload.StageRequest{
		Target: a.target(), Image: a.rel.Status.Milestones.Built.Image,
		Commit: a.rel.Spec.Deploy.Commit, Release: a.rel.Name, Replicas: 1,
	})
}

// sameProbe reports whether the target's pods already have the readiness probe that staged pods
// will have.
func (act attachAct) sameProbe(a *attempt) bool {
	return a.bg.Spec.Template == v1alpha1.TemplateOwn || equality.Semantic.DeepEqual(a.o.Target.Probe, a.o.Previous.Probe)
}
