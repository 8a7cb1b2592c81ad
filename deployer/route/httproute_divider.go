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
		if err := d.Router.CheckPorts(ctx, bg, s, to); err != nil {
			return err
		}
	}
	return d.Router.patch(ctx, bg, s, ops)
}

// LeadCohort makes the standby route, as observed, lead a canary's testers to its colour. A lost
// race is [ErrLostRace].
func (d Divider) LeadCohort(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color) error {
	there, err := httpRoute(ctx, d.Router.Reader, bg.Namespace, bg.StandbyRoute())
	if err != nil {
		return err
	}
	st := s.Gateway.Standby
	if there == nil || st.For != to {
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

// EndCohort makes the standby route lead nobody to a colour but by a new secret value. That always
// raises its generation, so a [Divider.LeadCohort] that is still on its way is refused. A lost race
// is [ErrLostRace].
func (d Divider) EndCohort(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, other v1alpha1.Color) error {
	there, err := httpRoute(ctx, d.Router.Reader, bg.Namespace, bg.StandbyRoute())
	if err != nil {
		return err
	}
	if there == nil || !ownedBy(bg, there) {
		return writeStandby(ctx, d.Router, bg, s, other)
	}
	return patchRoute(ctx, d.Router.Client, there, []Op{
		{Op: "test", Path: "/metadata/uid", Value: string(there.GetUID())},
		{Op: "test", Path: "/metadata/generation", Value: there.GetGeneration()},
		{Op: "replace", Path: "/spec", Value: standbySpec(bg, s, other, entrance{value: newPassword()})},
	})
}
