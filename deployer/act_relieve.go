package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// relieveAct stops the workers of the version that users left.
type relieveAct struct{ halting halting }

// do stops the workers of the side without users, once those of the other side do their work.
// Users are back already, so nobody waits for it: if it takes too long, it says so, and the
// release ends.
func (act relieveAct) do(ctx context.Context, a *attempt) (pause, error) {
	to := track.WorkersGoTo(a.rel)
	late := a.o.Now.Sub(a.entry().StartedAt.Time) >= a.bg.Spec.Deadlines.Stage.Duration
	from := to.Other()
	var p pause
	var err error
	if s, waits := a.o.Idle(to); waits {
		p = pause{
			until: s.LookAgainAt, message: fmt.Sprintf("keeps the workers of %s until deployment %s works: %s", from, s.Deployment, s.Progress),
			waits: waitsForWorker(v1alpha1.BecauseRollout, s, s.Available, s.Replicas),
		}
	} else {
		p, err = act.halting.stop(ctx, a, from)
	}
	switch {
	case late && err != nil:
		act.tellLate(a, err.Error())
	case late && p.rests():
		act.tellLate(a, p.message)
	case err != nil || p.rests():
		return p, err
	default:
		a.say("tasks go to " + workerNames(a.o.Workers, to) + keptNames(a, from))
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.RelievedAt = &now
	return pause{}, nil
}

// tellLate reports that both versions' workers may run.
func (act relieveAct) tellLate(a *attempt, why string) {
	limit := a.bg.Spec.Deadlines.Stage.Duration
	a.finding(fmt.Sprintf("workers of both versions may be running, after %s (spec.deadlines.stage): %s", limit, why))
	a.say(why)
}
