package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// switchAct is the step that users would notice.
type switchAct struct{ *attempt }

// switchTraffic is the step users would notice. Its intent is durable before the patch: from
// then on a cancel comes too late, and after a crash the next look reads where the traffic is.
// A deploy waits for the baseline of its proof first.
func (a switchAct) switchTraffic(ctx context.Context) (pause, error) {
	m, measured := &a.rel.Status.Milestones, measuring{a.attempt}.measured()
	if m.SwitchIntendedAt == nil {
		if full := (measuring{a.attempt}).baseline(measured); !full.IsZero() {
			waits := track.WaitsForObject(v1alpha1.WaitsForBaseline, "", a.bg.Spec.URL)
			waits.Until = track.Stamp(measured.FullAt())
			return pause{until: full, message: "takes a baseline of " + a.bg.Spec.URL + " until " + track.Clock(measured.FullAt()), waits: waits},
				nil
		}
		if err := moving(a).translates(ctx); err != nil {
			return pause{}, err
		}
	}
	if p, err := moving(a).stamp(ctx, a.o.Target); err != nil || p.rests() {
		return p, err
	}
	if m.SwitchIntendedAt == nil {
		moving(a).noteEvents(ctx)
		now := metav1.NewTime(a.o.Now)
		m.SwitchIntendedAt = &now
		if measured != nil {
			measuring{a.attempt}.checkpoint(measured)
		}
		if err := a.save(ctx); err != nil {
			return pause{}, err
		}
	}
	measuring{a.attempt}.moving(measured)
	if err := moving(a).moveRoutes(ctx, func() error { return a.d.Routes.Switch(ctx, a.bg, a.o.Routes, a.target()) }); err != nil {
		return pause{}, err
	}
	if a.o.Routes.Live() != a.target() {
		return pause{until: a.o.Now, message: "switching", waits: moving(a).waitsForRoutes(v1alpha1.BecauseSwitch)}, nil
	}
	now := metav1.Now()
	m.SwitchedAt = &now
	a.say(fmt.Sprintf("ingress %s routes users to %s", a.o.Routes.Name, a.target()))
	switches{a.work}.recordSwitch(a.rel)
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	return pause{}, appStatus{a.work}.saveApplication(ctx)
}
