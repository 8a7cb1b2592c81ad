package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// verifyAct runs the health gate.
type verifyAct struct {
	pods    gate.Access
	through throughGateway
}

// do runs the health gate's rounds, one per look, until every pod of the target has passed enough
// of them in a row.
func (act verifyAct) do(ctx context.Context, a *attempt) (pause, error) {
	st, spec := &a.rel.Status, a.bg.Spec.Gate
	watch := track.GateWatchOf(spec, a.rel, a.o)
	if at := watch.NextAt(st.Gate); a.o.Now.Before(at) {
		return pause{until: at, waits: st.Waiting}, nil
	}
	plan, err := gate.PlanFor(spec, a.o.Target)
	if err != nil {
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedGateSpec, message: err.Error()}
	}
	if n := len(a.o.Target.Pods); n > v1alpha1.MaxPods {
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedGateSpec, message: fmt.Sprintf(
			"deployment %s has %d pods, but a release can record the gate's result for only %d: give it fewer, larger ones", a.o.Target.Deployment,
			n, v1alpha1.MaxPods)}
	}
	if plan.Warning != "" {
		a.finding(plan.Warning)
		watch = watch.OfReadiness()
	}
	look := act.lookAt(ctx, a, plan)
	status, verdict := watch.Step(st.Gate, look)
	if verdict.Outcome == track.GatePassed {
		if err := act.through.ask(ctx, a, &look); err != nil {
			return pause{}, err
		}
		status, verdict = watch.Step(st.Gate, look)
	}
	st.Gate = &status
	switch verdict.Outcome {
	case track.GateAgain:
		return pause{until: verdict.At, message: verdict.Message, waits: verdict.Waits}, nil
	case track.GateUnseen:
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedGateUnseen, message: verdict.Message}
	case track.GateFailed:
		f := releaseFault(v1alpha1.FailedGate, "%s", verdict.Message)
		if change := a.o.Unproven; change != nil {
			f.message = fmt.Sprintf("users were not moved: %s was never live with the schema that %s changed at %s, and %s; merge a commit that "+
				"fixes what is wrong", a.rel.Status.Version, change.Release, prose.Minute(change.At.Time), verdict.Message)
			f.about.release, f.about.since = change.Release, &change.At
		}
		f.evidence = append(f.evidence, *verdict.Evidence)
		return pause{}, f
	case track.GatePassed:
	}
	st.Milestones.Verified = &v1alpha1.VerifiedMilestone{
		Image: a.o.Target.Image, TemplateHash: status.TemplateHash, // as checked; the switch requires that these are staged
		Pods: status.Pods, Check: status.Check, At: metav1.NewTime(look.EndedAt),
	}
	a.say(verdict.Message)
	return pause{}, nil
}

// lookAt runs one round on the target's pods.
func (act verifyAct) lookAt(ctx context.Context, a *attempt, plan gate.Plan) track.GateLook {
	look := track.GateLook{TemplateHash: a.o.Target.TemplateHash, Pods: a.o.Target.Pods, Check: plan.Check, StartedAt: time.Now()}
	result := gate.Round(ctx, act.pods, plan, a.bg.Spec.Gate.TryTimeout.Duration, look.Pods)
	look.Passed, look.Problem, look.Unseen, look.EndedAt = result.Passed, result.Problem, result.CouldNotLook, time.Now()
	return look
}
