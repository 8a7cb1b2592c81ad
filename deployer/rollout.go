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

// rollout makes a colour run something, and waits until it does.
type rollout struct {
	recorder
	attaching attaching
	workloads interface {
		evidenceReader
		raiser
		Stage(ctx context.Context, bg *v1alpha1.BlueGreen, q workload.StageRequest) (changed bool, err error)
	}
}

// run stages the request and waits until it runs completely.
func (r rollout) run(ctx context.Context, a *attempt, want workload.StageRequest) (pause, error) {
	if p, err := r.put(ctx, a, want); err != nil || p.rests() {
		return p, err
	}
	return r.rolledOut(ctx, a)
}

// put stages the request; it returns the zero pause once that is done. The findings about the
// target are durable first: afterwards nobody can see what was there.
func (r rollout) put(ctx context.Context, a *attempt, want workload.StageRequest) (pause, error) {
	if track.Unsettled(a.rel, a.o) {
		return pause{
			message: fmt.Sprintf("the pod template of deployment %s changed: waits for its ReplicaSet", a.o.Target.Deployment),
			waits:   track.WaitsForObject(v1alpha1.WaitsForDeployment, "", a.o.Target.Deployment),
		}, nil
	}
	want.Keep = a.rel.Status.Milestones.Staged != nil
	st, saved := &a.rel.Status, a.saved
	if st.Drift != saved.Drift || len(st.Findings) != len(saved.Findings) || !slices.Equal(st.ConfigMaps, saved.ConfigMaps) {
		if err := r.save(ctx, a); err != nil {
			return pause{}, err
		}
	}
	err, changed := r.raiseMinimum(ctx, a, want.Replicas), false
	if err == nil {
		changed, err = r.workloads.Stage(ctx, a.bg, want)
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

// raiseMinimum keeps the target's autoscaler, which sees no load there, from scaling it down
// before users come. The minimum stays raised until the release has ended, see [work.minimums].
func (r rollout) raiseMinimum(ctx context.Context, a *attempt, size int32) error {
	r.tellAutoscaler(a)
	return r.workloads.RaiseMinimum(ctx, a.bg, a.o.Target, size)
}

// rolledOut waits for every pod of the target, and notices early if one cannot come.
func (r rollout) rolledOut(ctx context.Context, a *attempt) (pause, error) {
	t := a.o.Target
	if err := r.startFault(ctx, a); err != nil {
		return pause{}, err
	}
	if !t.RolledOut || t.TemplateHash == "" {
		until := t.LookAgainAt
		if at := r.attaching.look(ctx, a); !at.IsZero() && (until.IsZero() || at.Before(until)) {
			until = at
		}
		return pause{until: until, message: r.progress(a), waits: r.waitsForRollout(a)}, nil
	}
	a.rel.Status.Milestones.Staged = &v1alpha1.StagedMilestone{
		Image: t.Image, TemplateHash: t.TemplateHash, Replicas: t.Replicas, At: metav1.NewTime(a.o.Now),
	}
	sayStaged(a)
	return pause{}, nil
}

// progress describes the rollout, and counts pods that only wait for the load balancer.
func (r rollout) progress(a *attempt) string {
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

// waitsForRollout is the same as data.
func (r rollout) waitsForRollout(a *attempt) *v1alpha1.Waiting {
	t := a.o.Target
	if slices.ContainsFunc(t.Pods, func(p track.Pod) bool { return !p.Terminating && track.WaitsForLoadBalancer(p) }) {
		return &v1alpha1.Waiting{
			For: v1alpha1.WaitsForLoadBalancer, Because: v1alpha1.BecauseHealth, Object: t.Service, Done: t.Available, Of: t.Replicas,
		}
	}
	return waitsForPods(v1alpha1.BecauseRollout, t.Deployment, t.Available, t.Replicas)
}

// startFault is why the target's pods will not start, if that is certain.
func (r rollout) startFault(ctx context.Context, a *attempt) error {
	t := a.o.Target
	if t.Failure == nil {
		return nil
	}
	f := releaseFault(t.Failure.Reason, "%s", t.Failure.Message)
	f.evidence = r.workloads.Evidence(ctx, a.bg, t)
	return f
}

// tellAutoscaler reports where autoscalers decide the target's size, now or once it is live.
func (r rollout) tellAutoscaler(a *attempt) {
	live, target := a.o.Previous, a.o.Target
	switch s := target.Autoscaler; {
	case s.Name == "" && live.Autoscaler.Name != "":
		a.finding(fmt.Sprintf("deployment %s has a HorizontalPodAutoscaler, %s, and deployment %s has none: it keeps its staged size "+
			"until you create one for it", live.Deployment, live.Autoscaler.Name, target.Deployment))
	case s.Overruled:
		a.finding(fmt.Sprintf("horizontalpodautoscaler %s was given the minimum %d by someone else during the release: it stays, and may scale "+
			"deployment %s below the size it was staged at", s.Name, s.Current, target.Deployment))
	case a.o.Wanted > a.o.Size:
		a.finding(fmt.Sprintf("horizontalpodautoscaler %s keeps deployment %s from growing above %d, so it is staged at that size, not at %d: "+
			"raise spec.maxReplicas if it is too small", s.Name, target.Deployment, s.Max, a.o.Wanted))
	}
}
