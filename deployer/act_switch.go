package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// switchAct is the step that users would notice.
type switchAct struct {
	recorder
	measuring measuring
	moving    moving
	preparing preparing
	switches  switches
	status    appStatus
	routes    interface {
		translator
		switcher
	}
}

// do switches users. Its intent is durable before the patch. From then on a cancel is too late,
// and after a crash the next look reads where the traffic is. A deploy first waits for the
// baseline of its proof.
func (act switchAct) do(ctx context.Context, a *attempt) (pause, error) {
	m, measured := &a.rel.Status.Milestones, act.measuring.measured(a)
	intending := m.SwitchIntendedAt == nil
	if intending {
		if full := act.measuring.baseline(a, measured); !full.IsZero() {
			return waitsForBaseline(a, measured, full), nil
		}
		if err := act.translates(ctx, a); err != nil {
			return pause{}, err
		}
	}
	has := act.routes.Ports(ctx, a.bg, a.target())
	var stamped func() (pause, error)
	if !intending || stampedBefore(a, a.o.Target) { // then it is only looked at, beside the record
		stamped = act.preparing.stamp(ctx, a, a.o.Target)
	}
	if intending {
		if err := act.intend(ctx, a, measured, act.preparing.events(ctx, a)); err != nil {
			return pause{}, err
		}
	}
	if stamped == nil {
		stamped = act.preparing.stamp(ctx, a, a.o.Target)
	}
	if p, err := stamped(); err != nil || p.rests() { // the intent has no patch, as after a crash
		return p, err
	}
	act.measuring.moving(a, measured)
	err := act.moving.moveRoutes(ctx, a, func() error { return act.routes.Switch(ctx, a.bg, a.o.Routes, a.target(), has) })
	if err != nil {
		return pause{}, err
	}
	if a.o.Routes.Live() != a.target() {
		return pause{until: a.o.Now, message: "switching", waits: waitsForRoutes(a, v1alpha1.BecauseSwitch)}, nil
	}
	now := metav1.Now()
	m.SwitchedAt = &now
	a.say(fmt.Sprintf("%s routes users to %s", a.o.Routes, a.target()))
	act.switches.recordSwitch(a.work, a.rel)
	if err := act.save(ctx, a); err != nil {
		return pause{}, err
	}
	return pause{}, act.status.saveApplication(ctx, a.work)
}

// intend records that users are about to be moved, and what was so right before.
func (act switchAct) intend(ctx context.Context, a *attempt, measured *measurement, told func() (track.News, error)) error {
	act.preparing.noteEvents(ctx, a, told)
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.SwitchIntendedAt = &now
	if measured != nil {
		act.measuring.checkpoint(a, measured)
	}
	return act.save(ctx, a)
}

// translates checks, right before a switch, whether Google's controller can take it up, since
// much may have changed since the Service was attached. Otherwise the patch would move nobody,
// and a later repair would move users at an unexpected time. A rollback ignores a bad result, in
// case this check is wrong.
func (act switchAct) translates(ctx context.Context, a *attempt) error {
	if !a.o.OnGCE() && a.o.Routes.Gateway == nil {
		return nil
	}
	err := act.routes.CheckTranslation(ctx, a.bg, a.o.Routes, a.target())
	if err != nil && a.rel.Spec.Kind == v1alpha1.Rollback {
		a.finding(a.o.Routes.String() + " is switched despite a problem: " + err.Error())
		return nil
	}
	return refusedRoute(err)
}
