package deployer

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// appStatus writes what people read about an application.
type appStatus struct {
	record interface {
		UpdateApplication(ctx context.Context, bg *v1alpha1.BlueGreen) error
	}
	observer Observer
}

// countSwitch reports a switch to the observer once a write made it durable. A switch that is
// recorded again after a lost race does not count twice.
func (s appStatus) countSwitch(w *work, before, now *v1alpha1.SwitchRecord) {
	same := before != nil && now != nil && before.UID == now.UID && before.Kind == now.Kind
	if now == nil || same || s.observer == nil {
		return
	}
	s.observer.Switched(client.ObjectKeyFromObject(w.bg), now.Kind)
}

// saveApplication writes the application's status now, because the next actions rely on it.
func (s appStatus) saveApplication(ctx context.Context, w *work) error {
	s.describeLive(w)
	s.describeWayBack(w)
	if err := record.FitApplication(&w.bg.Status); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if sameStatus(w.before, w.bg) {
		return nil
	}
	if err := s.record.UpdateApplication(ctx, w.bg); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	s.countSwitch(w, w.before.Status.LastSwitch, w.bg.Status.LastSwitch)
	w.before = w.bg.DeepCopy()
	return nil
}

func readyCondition(bg *v1alpha1.BlueGreen) metav1.Condition {
	if c := meta.FindStatusCondition(bg.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return *c
	}
	return metav1.Condition{Message: "not checked yet"}
}

// writeStatus writes what people read about an application, if it changed.
func (s appStatus) writeStatus(ctx context.Context, w *work) error {
	w.bg.Status.ObservedGeneration = w.bg.Generation
	w.bg.Status.Phase = s.phase(w)
	return s.saveApplication(ctx, w)
}

// describeLive describes what users reach. It is part of every write, so a status with a new
// switch also shows what is live since.
func (s appStatus) describeLive(w *work) {
	noteMixed(w.bg, w.o, w.releases)
	st := &w.bg.Status
	c, last := w.o.Routes.Live(), st.LastSwitch
	st.Live, st.Version = nil, ""
	switch {
	case c == "":
		return
	case w.o.Sides[c].DeploymentExists:
		live := version(w.o.Sides[c])
		st.Live = &live
	case last != nil && last.To.Color == c:
		// Its Deployment is gone, but users are still routed to it, and a rollback has to leave
		// it.
		live := last.To
		live.Replicas = 0
		st.Live = &live
	default:
		return
	}
	st.Version = st.Live.Short()
}

func (s appStatus) phase(w *work) string {
	st := w.bg.Status
	if active := w.active(); active != nil {
		if active.Status.Phase == v1alpha1.ReleaseWaiting {
			return v1alpha1.PhaseWaiting
		}
		return v1alpha1.PhaseReleasing
	}
	switch {
	case readyCondition(w.bg).Status != metav1.ConditionTrue:
		return v1alpha1.PhaseBlocked
	case st.Lock != nil:
		return v1alpha1.PhaseLocked
	case st.LastSwitch != nil && !st.LastSwitch.Shrunk:
		return v1alpha1.PhaseHolding
	}
	return v1alpha1.PhaseIdle
}

func sameStatus(a, b *v1alpha1.BlueGreen) bool {
	return equality.Semantic.DeepEqual(a.Status, b.Status)
}

// describeWayBack describes whether users could return at once to the version before the live
// one. Every write derives it from the current state.
func (s appStatus) describeWayBack(w *work) {
	to := s.wayBackTo(w)
	if to == nil || w.o.Back == nil {
		w.bg.Status.WayBack = nil
		return
	}
	back := track.WayBack(w.bg, w.o, *to)
	if by := w.bg.Status.ClosedBack(s.wayBackOf(w, to), w.releases); by != nil {
		back.Missing = track.WayClosed(by, *to)
	}
	w.bg.Status.WayBack = &back
}

// wayBackOf is the rollback to a version that wayBackTo returned; nil for that of the last switch.
func (s appStatus) wayBackOf(w *work, to *v1alpha1.Version) *v1alpha1.RollbackSpec {
	if mixed := w.bg.Status.Mixed; mixed != nil {
		return mixed.Back
	}
	if to != w.bg.Status.Previous { // a switch is under way
		return &v1alpha1.RollbackSpec{Switch: w.bg.Status.Active.UID, To: *to}
	}
	return nil
}

// wayBackTo is the version that a rollback would return to; during a switch, the one that users
// are just leaving.
func (s appStatus) wayBackTo(w *work) *v1alpha1.Version {
	active := w.bg.Status.Active
	if mixed := w.bg.Status.Mixed; mixed != nil {
		if mixed.Back == nil {
			return nil
		}
		return &mixed.Back.To
	}
	for i := range w.releases {
		rel := &w.releases[i]
		m := rel.Status.Milestones
		if active != nil && string(rel.UID) == active.UID && rel.Spec.Deploy != nil && m.SwitchIntendedAt != nil && m.RestoredAt == nil &&
			m.Previous != nil {
			return m.Previous
		}
	}
	return w.bg.Status.Previous
}
