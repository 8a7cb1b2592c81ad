package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// lookAtRoutes is how often to look at the load balancer: events and endpoint groups are not
// watched.
const lookAtRoutes = 2 * time.Second

// reference is the target's place in the Ingress, under the standby host.
type reference struct {
	recorder
	moving moving
	routes interface {
		newsReader
		translator
		Attach(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error
		Detach(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error
	}
}

// tellLoadBalancer reports which guarantee is weaker than on Google's load balancer.
func (r reference) tellLoadBalancer(a *attempt) {
	if a.o.Routes.Gateway != nil {
		a.finding(fmt.Sprintf("%s: its Gateways report when they have taken up a change, but not whether the pods are healthy", a.o.Routes))
		return
	}
	if !a.o.OnGCE() {
		a.finding(fmt.Sprintf("ingress %s is not Google's: the Kubernetes API does not show whether its controller took up a change or "+
			"finds the pods healthy; Turnout relies on the Service's ready endpoints and the public address", a.o.Routes.Name))
	}
}

// checkTranslation returns a fault if Google's controller could not use the Ingress with the
// target's Service in it. The controller would then apply no change of the Ingress, and stop
// updating the endpoints of Services that it no longer names.
func (r reference) checkTranslation(ctx context.Context, a *attempt) error {
	err := r.routes.CheckTranslation(ctx, a.bg, a.o.Routes, a.target())
	bad, ok := errors.AsType[*route.UntranslatableError](err)
	if !ok {
		return err
	}
	f := &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTranslate, message: bad.Error() + "; the ingress was not changed"}
	if bad.Target {
		f.class = v1alpha1.FaultRelease
	}
	return f
}

// reference makes the Ingress name the target's Service under the standby host, and waits until
// the load balancer has it. It then returns the zero pause.
func (r reference) reference(ctx context.Context, a *attempt) (pause, error) {
	r.tellLoadBalancer(a)
	if a.o.Routes.Gateway != nil {
		return r.onGateway(ctx, a)
	}
	st := a.route()
	var news track.News
	var said string
	if a.o.OnGCE() && st.EventsBefore != "" && a.rel.Status.Milestones.SwitchIntendedAt == nil {
		// This release made the reference, or was about to.
		var err error
		if news, err = r.routes.News(ctx, a.bg, st.EventsBefore); err != nil {
			return pause{}, err
		}
		if news.Translate != "" {
			mine, text, err := r.refused(ctx, a, news.Translate)
			if err != nil {
				return pause{}, err
			}
			if mine {
				return r.detach(ctx, a, news.Translate)
			}
			said = "; " + text
		}
	}
	if !a.o.Routes.Attached(a.target()) {
		return r.writeReference(ctx, a)
	}
	if !a.o.OnGCE() {
		return pause{}, nil
	}
	why, ok := track.TakenUp(a.o.Target.Service, a.o.Groups)
	if ok {
		return pause{}, nil
	}
	if news.Sync != "" {
		said += "; its controller tries again: " + news.Sync
	}
	return pause{
		until:   a.o.Now.Add(lookAtRoutes),
		message: "waits until the load balancer knows service " + a.o.Target.Service + ": " + why + said,
		waits: &v1alpha1.Waiting{
			For: v1alpha1.WaitsForLoadBalancer, Because: v1alpha1.BecauseReference, Object: a.o.Target.Service, Detail: why + said,
		},
	}, nil
}

// refused reports whether an event about the whole Ingress shows that the controller could not
// use the target's reference. Otherwise text names the cause: somebody else may fix it, and
// removing the reference would not help.
func (r reference) refused(ctx context.Context, a *attempt, event string) (mine bool, text string, err error) {
	err = r.routes.CheckTranslation(ctx, a.bg, a.o.Routes, a.target())
	bad, ok := errors.AsType[*route.UntranslatableError](err)
	switch {
	case ok:
		return bad.Target || names(bad.Why, a.o.Target.Service), bad.Error(), nil
	case err != nil:
		return false, "", err
	}
	return names(event, a.o.Target.Service), fmt.Sprintf("its controller could not use ingress %s: %s", a.o.Routes.Name, event), nil
}

// names reports whether a text names an object, and not just a longer name that contains it.
func names(text, object string) bool {
	return slices.Contains(strings.FieldsFunc(text, func(r rune) bool {
		return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), object)
}

// writeReference patches the Ingress. The event mark is durable first, so later events of the
// controller are about the patch.
func (r reference) writeReference(ctx context.Context, a *attempt) (pause, error) {
	if st := a.route(); a.o.OnGCE() {
		if err := r.checkTranslation(ctx, a); err != nil {
			return pause{}, err
		}
		if st.EventsBefore == "" {
			news, err := r.routes.News(ctx, a.bg, "")
			if err != nil {
				return pause{}, err
			}
			st.EventsBefore = news.Now
		}
		if err := r.save(ctx, a); err != nil {
			return pause{}, err
		}
	}
	if err := r.moving.moveRoutes(ctx, a, func() error { return r.routes.Attach(ctx, a.bg, a.o.Routes, a.target()) }); err != nil {
		return pause{}, err
	}
	if !a.o.Routes.Attached(a.target()) || a.o.OnGCE() {
		return pause{until: a.o.Now, message: "attaching", waits: waitsForRoutes(a, v1alpha1.BecauseAttach)}, nil
	}
	return pause{}, nil
}

// detach removes a reference that the load balancer's controller cannot use, and ends the
// release. While the reference exists, the controller applies no change of the Ingress.
func (r reference) detach(ctx context.Context, a *attempt, event string) (pause, error) {
	if err := r.moving.moveRoutes(ctx, a, func() error { return r.routes.Detach(ctx, a.bg, a.o.Routes, a.target()) }); err != nil {
		return pause{}, err
	}
	if len(a.o.Routes.Standby[a.target()]) > 0 {
		return pause{
			until: a.o.Now, message: "taking service " + a.o.Target.Service + " out of the ingress again",
			waits: waitsForRoutes(a, v1alpha1.BecauseDetach),
		}, nil
	}
	return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTranslate, message: fmt.Sprintf(
		"the load balancer's controller could not use ingress %s with service %s in it, which was taken out again: %s: fix that, then ask again",
		a.o.Routes.Name, a.o.Target.Service, event)}
}
