package deployer

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// onGateway makes both routes name the target's Service, and waits until every Gateway has
// programmed that. The standby route comes first: a Service that cannot be used then fails where
// no user is. It returns the zero pause once both are in effect.
func (r reference) onGateway(ctx context.Context, a *attempt) (pause, error) {
	g := a.o.Routes.Gateway
	if g.Standby.Exists && !g.Standby.Ours {
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTranslate, message: fmt.Sprintf(
			"httproute %s exists, and is not Turnout's: remove it or give it another name, then ask again", g.Standby.Name)}
	}
	if g.Standby.For != a.target() || g.Standby.Cohort { // that of an earlier canary
		return r.write(ctx, a)
	}
	if word := a.o.Routes.StandbyWord(); word.Refused {
		return pause{}, refusedBy(a, "httproute "+g.Standby.Name, word)
	} else if word.Waits() {
		return awaits(a, "httproute "+g.Standby.Name, word), nil
	}
	if !g.Complete() {
		return r.write(ctx, a)
	}
	known := a.o.Routes.AcceptedSince(a.route().Parents)
	word := a.o.Routes.Word(known)
	switch {
	case word.Refused:
		if err := r.moving.moveRoutes(ctx, a, func() error { return r.routes.Detach(ctx, a.bg, a.o.Routes, a.target()) }); err != nil {
			return pause{}, err
		}
		return pause{}, refusedBy(a, a.o.Routes.String(), word)
	case word.Waits():
		return awaits(a, a.o.Routes.String(), word), nil
	}
	a.route().Parents = known // saved with the milestone
	return pause{}, nil
}

// write makes the next missing write.
func (r reference) write(ctx context.Context, a *attempt) (pause, error) {
	err := r.moving.moveRoutes(ctx, a, func() error { return r.routes.Attach(ctx, a.bg, a.o.Routes, a.target()) })
	if err != nil {
		return pause{}, refusedRoute(err)
	}
	return pause{until: a.o.Now, message: "attaching", waits: waitsForRoutes(a, v1alpha1.BecauseAttach)}, nil
}

// refusedRoute makes a fault of an error that says that Turnout cannot move users by a route: waiting
// does not help. Any other error stays as it is.
func refusedRoute(err error) error {
	if bad, ok := errors.AsType[*route.RefusedError](err); ok {
		return &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTranslate, message: bad.Error() + "; the route was not changed"}
	}
	return err
}

func refusedBy(a *attempt, route string, word track.ParentsWord) error {
	return &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTranslate, message: fmt.Sprintf(
		"a Gateway cannot use %s with service %s in it: %s: fix that, then ask again", route, a.o.Target.Service, word.Text)}
}

func awaits(a *attempt, route string, word track.ParentsWord) pause {
	return pause{
		until:   a.o.Now.Add(lookAtRoutes),
		message: fmt.Sprintf("waits until every Gateway has taken up %s with service %s in it: %s", route, a.o.Target.Service, word.Text),
		waits: &v1alpha1.Waiting{
			For: v1alpha1.WaitsForLoadBalancer, Because: v1alpha1.BecauseReference, Object: a.o.Target.Service, Detail: word.Text,
		},
	}
}
