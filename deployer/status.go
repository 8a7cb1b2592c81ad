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

// appStatus is what people read of an application.
type appStatus struct{ *work }

// countSwitch tells the observer of a switch that a write made durable: one that
// a lost race takes back, and the next look records again, is not counted twice.
func (w appStatus) countSwitch(before, now *v1alpha1.SwitchRecord) {
	same := before != nil && now != nil && before.UID == now.UID && before.Kind == now.Kind
	if now == nil || same || w.d.Observer == nil {
		return
	}
	w.d.Observer.Switched(client.ObjectKeyFromObject(w.bg), now.Kind)
}

// saveApplication writes the application's status now, because what follows
// rests on it.
func (w appStatus) saveApplication(ctx context.Context) error {
	w.describeLive()
	w.describeWayBack()
	if err := record.FitApplication(&w.bg.Status); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if sameStatus(w.before, w.bg) {
		return nil
	}
	if err := w.d.Record.UpdateApplication(ctx, w.bg); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	w.countSwitch(w.before.Status.LastSwitch, w.bg.Status.LastSwitch)
	w.before = w.bg.DeepCopy()
	return nil
}

func readyCondition(bg *v1alpha1.BlueGreen) metav1.Condition {
	if c := meta.FindStatusCondition(bg.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return *c
	}
	return metav1.Condition{Message: "it was not looked at yet"}
}

// writeStatus writes what people read of an application, if it changed.
func (w appStatus) writeStatus(ctx context.Context) error {
	w.bg.Status.ObservedGeneration = w.bg.Generation
	w.bg.Status.Phase = w.phase()
	return w.saveApplication(ctx)
}

// describeLive says what users reach. It goes into every write, so that whoever
// reads of a switch reads of what is live since, too.
func (w appStatus) describeLive() {
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
		// Its Deployment is gone. It is what users are sent to all the same, and
		// what a rollback has to leave.
		live := last.To
		live.Replicas = 0
		st.Live = &live
	default:
		return
	}
	st.Version = st.Live.Short()
}

func (w appStatus) phase() string {
	st := w.bg.Status
	if active := looking(w).active(); active != nil {
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

// describeWayBack says whether users could return at once to the version before
// the live one. It is derived from what is true now, at every write.
func (w appStatus) describeWayBack() {
	to := w.wayBackTo()
	if to == nil || w.o.Back == nil {
		w.bg.Status.WayBack = nil
		return
	}
	back := track.WayBack(w.bg, w.o, *to)
	w.bg.Status.WayBack = &back
}

// wayBackTo is the version that a rollback would return to: while a switch is under
// way, the one that users are just being moved from.
func (w appStatus) wayBackTo() *v1alpha1.Version {
	active := w.bg.Status.Active
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
