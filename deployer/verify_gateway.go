package deployer

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
)

// throughGateway sends requests to the idle colour through a Gateway's load balancer, which has a
// route for it. Only this shows that a load balancer sends the colour no requests because its
// health check fails.
type throughGateway struct {
	address publicAddress
	routes  standbyHeader
}

// standbyHeader is the header that leads to the idle colour.
type standbyHeader interface {
	StandbyHeader(ctx context.Context, bg *v1alpha1.BlueGreen) (map[string]string, error)
}

// ask adds to the gate's last round the public address's answer for the target. A missing answer
// is no evidence against the target, but a finding.
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

// standbyColor is the idle colour and how to reach it.
type standbyColor struct {
	bg     *v1alpha1.BlueGreen
	routes track.Routes
	side   track.Side
	header map[string]string
}

// heardThrough is the idle colour's answer; the zero value is nothing bad.
type heardThrough struct {
	unseen    string // the address could not be asked
	elsewhere string // it led to another version
	failure   string // it answered with a failure, and the live colour does not
}

// hear sends requests to the target and, if they fail, to the live colour. A failure of both is
// not the target's.
func (g throughGateway) hear(ctx context.Context, of standbyColor) heardThrough {
	c := g.address.proofConfig(of.bg, of.routes)
	live := c
	c.Header = of.header
	var theirs string
	if c.VersionHeader != "" {
		theirs, _ = g.address.named(ctx, of.bg, of.side) // "" distinguishes nothing
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
