package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// withdrawAct takes the target's share of the users back.
type withdrawAct struct {
	shifting shifting
	cohorts  cohorts
	fencing  fencing
	routes   routesReader
}

// do takes the share back. Its deadline ends nothing: until users are gone nobody may touch the
// target. But people are told, by a finding here and by [withdrawal.note].
func (act withdrawAct) do(ctx context.Context, a *attempt) (pause, error) {
	p, err := act.withdraw(ctx, a)
	if a.rel.Status.Milestones.KeptAt == nil && track.WithdrawLate(a.bg, a.rel, a.o.Now) {
		a.finding(fmt.Sprintf("the share of %s is not known to be 0 for more than %s (spec.deadlines.confirm), so users may still be there, "+
			"and nothing of it is removed: the condition %s of the application says what to do",
			a.target(), a.bg.Spec.Deadlines.Confirm.Duration, v1alpha1.ConditionWithdrawUnconfirmed))
	}
	return p, err
}

// withdraw gives the target the weight 0, waits until every Gateway has taken that up, and then
// as long as front ends may need. Nothing withholds the weight 0 but somebody else's weights.
func (act withdrawAct) withdraw(ctx context.Context, a *attempt) (pause, error) {
	routes, err := act.routes.Observe(ctx, a.bg)
	if err != nil {
		return pause{}, err
	}
	a.o.Routes = routes.DuringRelease(a.rel)
	if a.rel.LastWeight().Weight != 0 {
		if err := act.fencing.fence(ctx, a); err != nil {
			return pause{}, err
		}
		if !track.Ours(a.rel, a.o) {
			act.keep(a)
			return pause{}, nil
		}
		if err := act.shifting.intend(ctx, a, 0); err != nil {
			return pause{}, err
		}
	}
	for range 4 { // more than a look ever needs
		l := act.shifting.look(a)
		l.Confirmed = a.rel.Spec.Confirmed(a.target().Other()) != nil
		last := a.rel.LastWeight()
		if foreign := !l.Known || l.Share != 0 && last.Generation != 0; foreign || !track.Ours(a.rel, a.o) {
			act.keep(a)
			return pause{}, nil
		}
		if last.Generation != 0 { // nothing withholds the weight 0, so this comes after it
			if err := act.cohorts.end(ctx, a); err != nil {
				return pause{}, err
			}
			l.Parents = a.o.Routes.WordOn(a.rel)
		}
		switch v := l.Judge(); v.Outcome {
		case track.ShiftPatch:
			if done, err := act.shifting.give(ctx, a); err != nil || !done {
				return act.shifting.patchAgain(a, v1alpha1.BecauseWithdraw), err
			}
		case track.ShiftSeen:
			if err := act.shifting.seen(ctx, a); err != nil {
				return pause{}, err
			}
			continue
		case track.ShiftEffect:
			act.shifting.tookEffect(a, v.Sign)
		case track.ShiftDone:
			return act.drain(a), nil
		default:
			return pause{until: v.At, message: v.Message, waits: v.Waits}, nil
		}
	}
	return act.shifting.patchAgain(a, v1alpha1.BecauseWithdraw), nil
}

// drain waits until no front end sends anybody to the target any more.
func (act withdrawAct) drain(a *attempt) pause {
	at := a.rel.LastWeight().EffectiveAt.Add(a.bg.Spec.DrainTime())
	if a.o.Now.Before(at) {
		return pause{
			until: at, message: "waits until " + a.o.Target.Deployment + " has drained, " + track.Clock(at),
			waits: track.WaitsUntil(v1alpha1.WaitsForDrain, v1alpha1.BecauseWithdraw, at),
		}
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.WithdrawnAt = &now
	return pause{}
}

// keep leaves weights and sizes as somebody else has made them.
func (act withdrawAct) keep(a *attempt) {
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.KeptAt = &now
	what := " was given other weights by someone else, so they stay as they are, and so do both colours"
	if !a.o.Routes.Exists {
		what = " is gone, so nothing sends users anywhere, and both colours stay as they are"
	}
	a.finding(a.o.Routes.String() + what)
}
