package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/track"
)

// verifyAct asks the health gate.
type verifyAct struct{ *attempt }

// verify makes the health gate's rounds, one a look, until every pod of the
// target has passed enough of them in a row.
func (a verifyAct) verify(ctx context.Context) (pause, error) {
	st, spec := &a.rel.Status, a.bg.Spec.Gate
	if at := gate.NextAt(spec, st.Gate); a.o.Now.Before(at) {
		return pause{until: at, waits: st.Waiting}, nil
	}
	plan, err := gate.PlanFor(spec, a.o.Target)
	if err != nil {
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedGateSpec, message: err.Error()}
	}
	if n := len(a.o.Target.Pods); n > v1alpha1.MaxPods {
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedGateSpec, message: fmt.Sprintf(
			"deployment %s has %d pods, and a release can record of %d that they passed the gate: give it fewer, larger ones", a.o.Target.Deployment,
			n, v1alpha1.MaxPods)}
	}
	if plan.Warning != "" {
		a.finding(plan.Warning)
		spec.Consecutive = 1 // a pod's readiness is watched anyway; asking again tells nothing new
	}
	if spec.Consecutive > 1 && track.PassedBefore(a.rel, a.o) && (st.Gate == nil || st.Gate.Problem == nil) {
		spec.Consecutive = 1 // nothing speaks against the pass that it has
	}
	look := a.lookAt(ctx, plan)
	status, verdict := gate.Step(st.Gate, spec, look)
	st.Gate = &status
	switch verdict.Outcome {
	case gate.Again:
		waits := &v1alpha1.Waiting{For: v1alpha1.WaitsForGate, Done: status.Passed, Of: spec.Consecutive}
		if status.Problem != nil {
			waits.Detail = status.Problem.Message
		}
		return pause{until: verdict.At, message: verdict.Message, waits: waits}, nil
	case gate.Unseen:
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedGateUnseen, message: verdict.Message}
	case gate.Failed:
		f := releaseFault(v1alpha1.FailedGate, "%s", verdict.Message)
		f.evidence = append(f.evidence, *verdict.Evidence)
		return pause{}, f
	case gate.Passed:
	}
	st.Milestones.Verified = &v1alpha1.VerifiedMilestone{
		Image: a.o.Target.Image, TemplateHash: status.TemplateHash, // as they were asked; the switch wants those staged
		Pods: status.Pods, Check: status.Check, At: metav1.NewTime(look.EndedAt),
	}
	a.say(verdict.Message)
	return pause{}, nil
}

// lookAt makes one round on the target's pods.
func (a verifyAct) lookAt(ctx context.Context, plan gate.Plan) gate.Look {
	look := gate.Look{TemplateHash: a.o.Target.TemplateHash, Pods: a.o.Target.Pods, Plan: plan, StartedAt: time.Now()}
	look.Result = gate.Round(ctx, a.d.Pods, plan, a.bg.Spec.Gate.TryTimeout.Duration, look.Pods)
	look.EndedAt = time.Now()
	return look
}
