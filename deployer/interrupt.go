package deployer

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// interrupted is why a release must stop: somebody cancelled it, or changed its objects; nil if
// it continues.
func interrupted(a *attempt) *fault {
	if a.rel.Status.Failure != nil {
		return nil
	}
	if f := a.refusal(a.rel); f != nil {
		return f
	}
	if message, found := track.Interference(a.rel, a.o); found {
		return &fault{
			class: v1alpha1.FaultInterference, reason: v1alpha1.FailedInterference,
			message: message + "; nothing was changed by this release since: look at it, then ask again",
		}
	}
	if stranded := stranded(a); stranded != nil {
		return &fault{
			class: v1alpha1.FaultWorld, reason: v1alpha1.FailedLiveUnselected, message: stranded.Text, commands: stranded.Commands,
		}
	}
	if by := rollbackBefore(a); by != nil {
		return &fault{
			class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedRolledBack, about: about{release: by.Name}, message: "gives way to " + by.Name,
		}
	}
	if !cancelled(a) {
		return nil
	}
	c := a.rel.Spec.Cancel
	message := "cancelled by " + a.rel.CancelledBy()
	if c.Reason != "" {
		message += ": " + c.Reason
	}
	return &fault{class: v1alpha1.FaultCancelled, reason: v1alpha1.FailedCancelled, about: about{by: c.By}, message: message}
}

// stranded is why a deploy must not switch: ready live pods no longer get users, so there would
// be nothing to go back to. If the live version is down, the deploy may switch, since it may be
// the fix. It is nil if nothing prevents the switch.
func stranded(a *attempt) *v1alpha1.Advice {
	m := a.rel.Status.Milestones
	if a.rel.Spec.Kind == v1alpha1.Rollback || m.Target == "" || m.SwitchIntendedAt != nil || a.rel.LastWeight() != nil {
		return nil
	}
	return track.Stranded(a.bg, a.o.Previous)
}

// cancelled reports whether somebody cancelled the release in time.
func cancelled(a *attempt) bool {
	switch {
	case a.rel.Spec.Cancel == nil:
		return false
	case a.rel.Spec.Kind == v1alpha1.Contract:
		return !track.Contracts(a.bg, a.rel)
	}
	return a.rel.Spec.Kind == v1alpha1.Deploy && a.rel.Status.Milestones.SwitchIntendedAt == nil
}

// rollbackBefore returns the rollback that a deploy gives way to, until the deploy begins to move
// traffic. Users are waiting for the rollback, and a switch would change the version that it
// takes back.
func rollbackBefore(a *attempt) *v1alpha1.Release {
	if a.rel.Spec.Kind == v1alpha1.Rollback || a.rel.Status.Milestones.Target == "" ||
		a.rel.Status.Milestones.SwitchIntendedAt != nil {
		return nil
	}
	_, rollbacks := a.waiting(a.rel)
	for _, rel := range rollbacks {
		if good, _ := (rollbackJudge{a.bg, a.releases}).judgeRollback(rel); good {
			return rel
		}
	}
	return nil
}
