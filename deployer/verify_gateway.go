package deployer

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
)

// throughGateway asks the colour that is not live through the load balancer of a Gateway,
// which has a route for it. That a load balancer sends it no request since its health
// check fails can be seen nowhere else.
type throughGateway struct {
	address publicAddress
	routes  standbyHeader
}

// standbyHeader knows the header that leads to the colour.
type standbyHeader interface {
	StandbyHeader(ctx context.Context, bg *v1alpha1.BlueGreen) (map[string]string, error)
}

// ask adds to the gate's last round what the public address answers for the target. An
// answer that cannot be had says nothing about the target, and is a finding.
func (g throughGateway) ask(ctx context.Context, a *attempt, look *track.GateLook) error {
	if a.o.Routes.Gateway == nil || a.o.Routes.Gateway.Standby.For != a.target() || a.bg.Spec.URL == "" {
		return nil
	}
	header, err := g.routes.StandbyHeader(ctx, a.bg)
	if err != nil || header == nil {
		return err
	}
	standby := standbyColor{bg: a.bg.DeepCopy(), routes: a.o.Routes, side: a.o.Target, header: header}
	said, err := ask(ctx, a.turn, question{what: "asking " + a.bg.Spec.URL + " for " + string(a.target())},
		func(ctx context.Context) (heardThrough, error) { return g.hear(ctx, standby), nil })
	switch {
	case err != nil:
		return err
	case said.unseen != "":
		a.finding(fmt.Sprintf("whether users would reach %s through the Gateway could not be seen before the switch: %s", a.target(),
			said.unseen))
	case said.elsewhere != "":
		look.Passed, look.Unseen = false, errors.New(said.elsewhere)
	case said.failure != "":
		look.Passed, look.Problem = false, &v1alpha1.Evidence{
			Request: "the Gateway, for service " + a.o.Target.Service, Message: said.failure,
		}
	}
	return nil
}

// standbyColor is the colour that is not live, and how it is reached.
type standbyColor struct {
	bg     *v1alpha1.BlueGreen
	routes track.Routes
	side   track.Side
	header map[string]string
}

// heardThrough is what was heard of the colour that is not live; empty is nothing bad.
type heardThrough struct {
	unseen    string // the address could not be asked
	elsewhere string // it led to another version
	failure   string // it answered with a failure, and the live colour does not
}

// hear asks for the target, and if that fails for the live colour: what fails there, too,
// is not the target's.
func (g throughGateway) hear(ctx context.Context, of standbyColor) heardThrough {
	c := g.address.proofConfig(of.bg, of.routes)
	live := c
	c.Header = of.header
	var theirs string
	if c.VersionHeader != "" {
		theirs, _ = g.address.named(ctx, of.bg, of.side) // "" tells nothing apart
	}
	for _, answer := range proof.Ask(ctx, c, track.NewInARow) {
		switch {
		case answer.Kind == proof.Unseen:
			return heardThrough{unseen: answer.Text}
		case answer.Kind == proof.Failed:
			if all := proof.Ask(ctx, live, 1); len(all) == 0 || all[0].Kind != proof.Served {
				return heardThrough{unseen: answer.Text + ", and so it does for the live colour"}
			}
			return heardThrough{failure: answer.Text}
		case theirs != "" && answer.Version != theirs:
			return heardThrough{elsewhere: fmt.Sprintf(
				"the standby route of service %s is not in effect everywhere: it led to the version %q, not %q",
				of.side.Service, answer.Version, theirs)}
		}
	}
	return heardThrough{}
}
