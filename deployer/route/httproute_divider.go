package route

import (
	"context"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Divider divides users between the two colours.
type Divider struct{ Router *Router }

// Shift gives a colour a share of the users with one patch, and the other one the rest. If
// they have them, it does nothing. A lost race is [ErrLostRace].
func (d Divider) Shift(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color, weight int32) error {
	if s.Gateway == nil {
		return fmt.Errorf("%s has no weights", s)
	}
	ops, err := SharesPatch(bg, s, Divided(to, weight))
	if err != nil || ops == nil {
		return err
	}
	if weight > 0 { // nothing keeps users from going back
		if err := refusedRoute(s); err != nil {
			return err
		}
		if err := checkPorts(ctx, d.Router, bg, s, to); err != nil {
			return err
		}
	}
	return d.Router.patch(ctx, bg, s, ops)
}

// LeadCohort makes the standby route, as observed, lead a canary's testers to a colour, by the
// matches that the application's route has now. The standby route must be Turnout's, and must not
// lead to the other colour. A lost race is [ErrLostRace].
func (d Divider) LeadCohort(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color) error {
	if err := refusedRoute(s); err != nil {
		return err
	}
	there, err := httpRoute(ctx, d.Router.Reader, bg.Namespace, bg.StandbyRoute())
	if err != nil {
		return err
	}
	st := s.Gateway.Standby
	if there == nil || !ownedBy(bg, there) || st.For == to.Other() {
		return fmt.Errorf("httproute %s: %w", st.Name, ErrLostRace)
	}
	// The generation is the one observed before the intent: a process that was stuck since then
	// must not lead anybody to a colour that was given up.
	return patchRoute(ctx, d.Router.Client, there, []Op{
		{Op: "test", Path: "/metadata/uid", Value: st.UID},
		{Op: "test", Path: "/metadata/generation", Value: st.Generation},
		{Op: "replace", Path: "/spec", Value: standbySpec(bg, s, to, entrance{value: passwordOf(there), cohort: true})},
	})
}

// EndCohort takes the header of a canary's testers out of the standby route, and gives the route a
// new secret value. That raises its generation, so a [Divider.LeadCohort] that is still on its way
// is refused. Nothing else of it changes: whatever the owner has made of the application's own
// route does not keep testers there. A standby route that is gone is made anew, unless the
// application's route is refused. A lost race is [ErrLostRace].
func (d Divider) EndCohort(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, other v1alpha1.Color) error {
	return endCohort(ctx, d.Router, bg, s, other)
}
