package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// restoreAct brings users back.
type restoreAct struct {
	recorder
	moving    moving
	preparing preparing
	fencing   fencing
	live      livePods
	switches  switches
	status    appStatus
	routes    interface {
		routesReader
		endpointsReader
		switcher
	}
}

// do brings traffic back to the previous colour, if that can take it. It reads again where users
// are, since a switch may have happened although its reply was lost.
func (act restoreAct) do(ctx context.Context, a *attempt) (pause, error) {
	m, now := &a.rel.Status.Milestones, metav1.NewTime(a.o.Now)
	routes, err := act.routes.Observe(ctx, a.bg)
	if err != nil {
		return pause{}, err
	}
	a.o.Routes = routes.DuringRelease(a.rel)
	switch a.o.Routes.Live() {
	case a.target().Other():
		return act.stayBack(ctx, a)
	case "":
		m.KeptAt = &now
		a.finding(a.o.Routes.String() + " routes to neither colour alone, so traffic was not moved back")
		return pause{}, nil
	default: // still on the target
	}
	if m.SwitchedAt == nil {
		// The patch whose reply was lost moved them. So there is a switch to undo.
		m.SwitchedAt = &now
		a.say("the switch had happened after all")
		act.switches.recordSwitch(a.work, a.rel)
		return pause{}, act.save(ctx, a)
	}
	why, err := act.cannotTakeBack(ctx, a)
	if err != nil {
		return pause{}, err
	}
	if why != "" {
		m.KeptAt = &now
		a.finding("traffic was not moved back: " + why)
		return pause{}, nil
	}
	return act.takeBack(ctx, a)
}

// stayBack makes sure that users stay at the previous colour, where they are.
func (act restoreAct) stayBack(ctx context.Context, a *attempt) (pause, error) {
	if err := act.fencing.fence(ctx, a); err != nil {
		return pause{}, err
	}
	if a.o.Routes.Live() != a.target().Other() {
		return pause{
			until: a.o.Now, message: "the switch arrived late: looking again", waits: waitsForRoutes(a, v1alpha1.BecauseLateSwitch),
		}, nil
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.RestoredAt = &now
	return pause{}, nil
}

// takeBack moves users to the previous colour.
func (act restoreAct) takeBack(ctx context.Context, a *attempt) (pause, error) {
	previous := a.target().Other()
	has, told := act.routes.Ports(ctx, a.bg, previous), act.preparing.events(ctx, a)
	if p, err := act.preparing.stamp(ctx, a, a.o.Previous)(); err != nil || p.rests() {
		return p, err
	}
	act.preparing.noteEvents(ctx, a, told)
	if err := act.save(ctx, a); err != nil {
		return pause{}, err
	}
	err := act.moving.moveRoutes(ctx, a, func() error { return act.routes.Switch(ctx, a.bg, a.o.Routes, previous, has) })
	if err != nil {
		return pause{}, err
	}
	if a.o.Routes.Live() != previous {
		return pause{until: a.o.Now, message: "moving traffic back", waits: waitsForRoutes(a, v1alpha1.BecauseRestore)}, nil
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.RestoredAt = &now
	a.say(fmt.Sprintf("%s routes users to %s again", a.o.Routes, previous))
	act.switches.recordSwitch(a.work, a.rel)
	if err := act.save(ctx, a); err != nil {
		return pause{}, err
	}
	return pause{}, act.status.saveApplication(ctx, a.work)
}

// cannotTakeBack is why traffic must not go back to the previous colour: it has no ready
// endpoint, or it now fails the same requests. A broken database fails both colours, and moving
// traffic would only add to the trouble. One bad answer may be chance, so it asks twice. If it
// cannot ask, users still go back from a known bad version to one with ready endpoints. A
// person's rollback skips the check, since an answer may be slow.
func (act restoreAct) cannotTakeBack(ctx context.Context, a *attempt) (string, error) {
	side := a.o.Previous
	endpoints, err := act.routes.ReadyEndpoints(ctx, a.bg.Namespace, side.Service)
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
		problem, unseen = act.live.askReady(ctx, a.work, side)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if unseen != nil {
			a.finding(fmt.Sprintf("the previous colour could not be checked before traffic went back to it: %v", unseen))
		}
		if problem == nil {
			return "", nil
		}
	}
	return "the previous colour fails the same gate now: " + problem.Message, nil
}
