package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// restoreAct brings users back.
type restoreAct struct{ *attempt }

// cannotTakeBack says why traffic must not go back to the previous colour: it has no ready
// endpoint, or it now fails the same requests. A broken database fails both colours, and
// moving traffic would only add to the trouble. One bad answer may be chance, so it asks
// twice. If it cannot ask, users still go back from a version that is known to be bad to one
// whose endpoints are ready. Once a person wants users back, it does not ask, since an answer
// may be slow.
func (a restoreAct) cannotTakeBack(ctx context.Context) (string, error) {
	side := a.o.Previous
	endpoints, err := a.d.Routes.ReadyEndpoints(ctx, a.bg.Namespace, side.Service)
	if err != nil {
		return "", err
	}
	if len(endpoints) == 0 {
		return fmt.Sprintf("service %s, the previous colour, has no ready endpoints", side.Service), nil
	}
	if (rollbackJudge{a.bg, a.releases}).rollbackOf(a.rel) != nil {
		return "", nil
	}
	var problem *v1alpha1.Evidence
	for range 2 {
		var unseen error
		problem, unseen = askReady(ctx, a.attempt, side)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if unseen != nil {
			a.finding(fmt.Sprintf("the previous colour could not be asked before traffic went back to it: %v", unseen))
		}
		if problem == nil {
			return "", nil
		}
	}
	return "the previous colour fails the same gate now: " + problem.Message, nil
}

// restore brings traffic back to the previous colour, if that can take it. It reads again
// where users are: a switch whose reply was lost may have been made.
func (a restoreAct) restore(ctx context.Context) (pause, error) {
	m := &a.rel.Status.Milestones
	previous := a.target().Other()
	now := metav1.NewTime(a.o.Now)
	var err error
	if a.o.Routes, err = a.d.Routes.Observe(ctx, a.bg); err != nil {
		return pause{}, err
	}
	switch a.o.Routes.Live() {
	case previous:
		if err := moving(a).fence(ctx); err != nil {
			return pause{}, err
		}
		if a.o.Routes.Live() != previous {
			return pause{
				until: a.o.Now, message: "the switch arrived late: looking again", waits: moving(a).waitsForRoutes(v1alpha1.BecauseLateSwitch),
			}, nil
		}
		m.RestoredAt = &now
		return pause{}, nil
	case "":
		m.KeptAt = &now
		a.finding("ingress " + a.o.Routes.Name + " routes to neither colour alone, so traffic was not moved back")
		return pause{}, nil
	default: // still on the target
	}
	if m.SwitchedAt == nil {
		// The patch whose reply was lost moved them. This undo is for a switch, then.
		m.SwitchedAt = &now
		a.say("the switch had been made after all")
		switches{a.work}.recordSwitch(a.rel)
		return pause{}, a.save(ctx)
	}
	why, err := a.cannotTakeBack(ctx)
	if err != nil {
		return pause{}, err
	}
	if why != "" {
		m.KeptAt = &now
		a.finding("traffic was not moved back: " + why)
		return pause{}, nil
	}
	if p, err := moving(a).stamp(ctx, a.o.Previous); err != nil || p.rests() {
		return p, err
	}
	moving(a).noteEvents(ctx)
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	if err := moving(a).moveRoutes(ctx, func() error { return a.d.Routes.Switch(ctx, a.bg, a.o.Routes, previous) }); err != nil {
		return pause{}, err
	}
	if a.o.Routes.Live() != previous {
		return pause{until: a.o.Now, message: "moving traffic back", waits: moving(a).waitsForRoutes(v1alpha1.BecauseRestore)}, nil
	}
	m.RestoredAt = &now
	a.say(fmt.Sprintf("ingress %s routes users to %s again", a.o.Routes.Name, previous))
	switches{a.work}.recordSwitch(a.rel)
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	return pause{}, appStatus{a.work}.saveApplication(ctx)
}
