package deployer

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
	"github.com/turnout-dev/turnout/record"
)

// withdrawal says loudly that users do not get away from a canary that went back.
type withdrawal struct{ telling telling }

// note sets a condition of the application while the weight 0 of its active release is not in
// effect although the time for that is over. The release goes on all the same: it must not end,
// and nothing may touch its target, as long as users may be there.
func (n withdrawal) note(w *work, active *v1alpha1.Release) {
	if active == nil || active.Status.Phase.Finished() || !track.WithdrawLate(w.bg, active, w.o.Now) {
		w.bg.Status.SetCommands(v1alpha1.ConditionWithdrawUnconfirmed, nil)
		gone := meta.RemoveStatusCondition(&w.bg.Status.Conditions, v1alpha1.ConditionWithdrawUnconfirmed)
		if gone && isWithdrawn(active) { // not if somebody gave it other weights, or more time
			n.telling.event(w, corev1.EventTypeNormal, "Withdrawn", "no users are sent to the canary that went back any more")
		}
		if at := track.WithdrawLateAt(w.bg, active); !at.IsZero() {
			w.wakeAt(at)
		}
		return
	}
	reason, advice := withdrawAdvice(w, active)
	w.bg.Status.SetCommands(v1alpha1.ConditionWithdrawUnconfirmed, record.Commands(advice.Commands))
	fresh := meta.FindStatusCondition(w.bg.Status.Conditions, v1alpha1.ConditionWithdrawUnconfirmed) == nil
	meta.SetStatusCondition(&w.bg.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionWithdrawUnconfirmed, Status: metav1.ConditionTrue, ObservedGeneration: w.bg.Generation,
		Reason: reason, Message: record.Message(advice.Text),
	})
	if fresh {
		n.telling.event(w, corev1.EventTypeWarning, v1alpha1.ConditionWithdrawUnconfirmed, advice.Text)
	}
}

// isWithdrawn reports whether the weight 0 of a release is in effect.
func isWithdrawn(rel *v1alpha1.Release) bool {
	if rel == nil {
		return false
	}
	last := rel.LastWeight()
	return last != nil && last.Weight == 0 && last.EffectiveAt != nil
}

// withdrawAdvice is what a person can do, without harm to users.
func withdrawAdvice(w *work, active *v1alpha1.Release) (reason string, advice v1alpha1.Advice) {
	target := active.Status.Milestones.Target
	still := fmt.Sprintf("users may still be with %s, after %s (spec.deadlines.confirm)", target, w.bg.Spec.Deadlines.Confirm.Duration)
	kept := fmt.Sprintf("Deployment %s keeps its size, and no other release begins", w.bg.Side(target).Deployment)
	if last := active.LastWeight(); last.Weight != 0 || last.Generation == 0 {
		why := "the last attempt had no result"
		if waits := active.Status.Waiting; waits != nil && waits.Detail != "" {
			why = prose.Line(waits.Detail, wayLimit)
		}
		return v1alpha1.ReasonNotWritten, v1alpha1.Advise(fmt.Sprintf(
			"%s: %s cannot be given the weight 0 for service %s: %s. %s. Remove what keeps Turnout from writing it, or give %s all of the "+
				"weight yourself", still, w.o.Routes, w.bg.Side(target).Service, why, kept, w.bg.Side(target.Other()).Service),
			v1alpha1.Kubectl("edit", w.o.Routes.Kind(), w.o.Routes.Name, w.bg.Namespace))
	}
	word := w.o.Routes.WordOn(active)
	return v1alpha1.ReasonOldRoutes, v1alpha1.Advise(fmt.Sprintf(
		"%s: nothing shows that every Gateway has taken up the weight 0 of %s: %s. %s. Mend that Gateway, or look where its users are, "+
			"and once nobody reaches %s, confirm that users are with %s",
		still, w.o.Routes, prose.Line(word.Text, wayLimit), kept, target, target.Other()),
		v1alpha1.Shell("turnout", "confirm", w.bg.Name, "--namespace", w.bg.Namespace))
}
