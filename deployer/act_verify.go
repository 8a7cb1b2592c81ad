package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
)

// verify makes the health gate's rounds, one a look, until every pod of the
// target has passed enough of them in a row.
func (a *attempt) verify(ctx context.Context) (pause, error) {
	st, spec := &a.rel.Status, a.bg.Spec.Gate
	if at := gate.NextAt(spec, st.Gate); a.o.Now.Before(at) {
		return pause{until: at, message: st.Message}, nil
	}
	plan, err := gate.PlanFor(spec, a.o.Target)
	if err != nil {
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: "GateSpec", message: err.Error()}
	}
	if plan.Warning != "" {
		a.finding(plan.Warning)
		spec.Consecutive = 1 // a pod's readiness is watched anyway; asking again tells nothing new
	}
	look := a.lookAt(ctx, plan)
	status, verdict := gate.Step(st.Gate, spec, look)
	st.Gate = &status
	switch verdict.Outcome {
	case gate.Again:
		return pause{until: verdict.At, message: verdict.Message}, nil
	case gate.Unseen:
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: "GateUnseen", message: verdict.Message}
	case gate.Failed:
		f := releaseFault("GateFailed", "%s", verdict.Message)
		f.evidence = append(f.evidence, *verdict.Evidence)
		return pause{}, f
	case gate.Passed:
	}
	staged := st.Milestones.Staged
	st.Milestones.Verified = &v1alpha1.VerifiedMilestone{
		Image: staged.Image, TemplateHash: staged.TemplateHash,
		Pods: status.Pods, Check: status.Check, At: metav1.NewTime(look.EndedAt),
	}
	a.say(verdict.Message)
	return pause{}, nil
}

// lookAt makes one round on the target's pods.
func (a *attempt) lookAt(ctx context.Context, plan gate.Plan) gate.Look {
	look := gate.Look{TemplateHash: a.o.Target.TemplateHash, Pods: a.o.Target.Pods, Plan: plan, StartedAt: time.Now()}
	look.Result = gate.Round(ctx, a.d.Pods, plan, a.bg.Spec.Gate.TryTimeout.Duration, look.Pods)
	look.EndedAt = time.Now()
	return look
}

const (
	// soakTolerance is how long the live pods may look bad before the soak has
	// failed: longer than a node takes to be replaced by another pod's readiness.
	soakTolerance = 30 * time.Second
	// soakReady is the least share of pods that must be ready, in percent.
	soakReady = 80
	// soakRestarts is how many restarts of the live pods' containers during the
	// soak are a crash loop, as for a pod that starts.
	soakRestarts = 2
)

// soak watches the new version under live traffic.
func (a *attempt) soak(ctx context.Context) (pause, error) {
	if by := a.rollbackOf(a.rel); by != nil {
		return pause{}, &fault{class: v1alpha1.FaultSuperseded, reason: "RolledBack", message: "rolled back by " + by.Name}
	}
	st := &a.rel.Status
	now := metav1.NewTime(a.o.Now)
	if st.Milestones.SoakStartedAt == nil {
		st.Milestones.SoakStartedAt = &now
		st.Soak = &v1alpha1.SoakStatus{Restarts: restarts(a)}
	}
	end := st.Milestones.SoakStartedAt.Add(a.bg.Spec.SoakTime())
	if !a.o.Now.Before(end) {
		st.Milestones.SoakedAt = &now
		a.say("held under live traffic for " + a.bg.Spec.SoakTime().String())
		return pause{}, nil
	}
	if err := a.watchLive(ctx); err != nil {
		return pause{}, err
	}
	again := a.o.Now.Add(a.bg.Spec.Gate.Interval.Duration)
	if end.Before(again) {
		again = end
	}
	return pause{until: again, message: "soaks until " + end.UTC().Format("15:04:05 UTC")}, nil
}

// watchLive looks once at the live pods and ends the release when they have
// looked bad for too long.
func (a *attempt) watchLive(ctx context.Context) error {
	soak := a.rel.Status.Soak
	if n := restarts(a) - soak.Restarts; n >= soakRestarts {
		f := releaseFault("CrashLoop", "containers of %s were restarted %d times under live traffic", a.o.Target.Deployment, n)
		f.evidence = a.d.Workloads.Evidence(ctx, a.bg, a.o.Target)
		return f
	}
	problem, seen := a.liveProblem(ctx)
	switch {
	case !seen:
		return nil // not having looked says nothing, either way
	case problem == nil:
		soak.FailingSince = nil
		return nil
	case soak.FailingSince == nil:
		now := metav1.NewMicroTime(a.o.Now)
		soak.FailingSince = &now
	}
	if a.o.Now.Sub(soak.FailingSince.Time) < soakTolerance {
		return nil
	}
	f := releaseFault("SoakFailed", "unhealthy under live traffic for %s: %s", soakTolerance, problem.Message)
	f.evidence = append(f.evidence, *problem)
	return f
}

// liveProblem is what is wrong with the live pods, if anything. seen is false if
// they could not be looked at.
func (a *attempt) liveProblem(ctx context.Context) (problem *v1alpha1.Evidence, seen bool) {
	t := a.o.Target
	ready := 0
	for _, pod := range t.Pods {
		if pod.Ready {
			ready++
		}
	}
	if ready*100 < int(t.Replicas)*soakReady {
		return &v1alpha1.Evidence{Reason: "NotReady", Message: fmt.Sprintf("%d of %d pods of %s are ready", ready, t.Replicas, t.Deployment)}, true
	}
	return a.gateProblem(ctx, a.target())
}

// gateProblem asks the gate's checks of a colour once.
func (a *attempt) gateProblem(ctx context.Context, c v1alpha1.Color) (problem *v1alpha1.Evidence, seen bool) {
	side := a.o.Sides[c]
	plan, err := gate.PlanFor(a.bg.Spec.Gate, side)
	if err != nil {
		return nil, false
	}
	result := gate.Round(ctx, a.d.Pods, plan, a.bg.Spec.Gate.TryTimeout.Duration, side.Pods)
	return result.Problem, result.CouldNotLook == nil
}

func restarts(a *attempt) (n int32) {
	for _, pod := range a.o.Target.Pods {
		n += pod.Restarts
	}
	return n
}

// cannotTakeBack says why traffic must not go back to the previous colour: it
// has no ready endpoint, or it fails the same gate now. A broken database fails
// both colours, and then moving traffic only adds to the trouble.
func (a *attempt) cannotTakeBack(ctx context.Context) (string, error) {
	side := a.o.Previous
	endpoints, err := a.d.Routes.ReadyEndpoints(ctx, a.bg.Namespace, side.Service)
	if err != nil {
		return "", err
	}
	if len(endpoints) == 0 {
		return fmt.Sprintf("service %s, the previous colour, has no ready endpoints", side.Service), nil
	}
	if problem, _ := a.gateProblem(ctx, side.Color); problem != nil {
		return fmt.Sprintf("the previous colour fails the same gate now: %s", problem.Message), nil
	}
	return "", nil
}
