package deployer

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// retryShrink is when to try again to shrink a colour that was still referenced, to set an
	// autoscaler, or to change a standby host.
	retryShrink = time.Minute
	// retryMinimum is when to try again to set an autoscaler.
	retryMinimum = time.Second
)

// upkeeping is the work that remains without a release.
type upkeeping struct {
	shrinking shrinking
	routes    interface {
		routesReader
		Migrate(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes) error
	}
}

// upkeep shrinks the colour that the last switch left, after drain and hold. It belongs to the
// application, since a release ends after its soak.
func (u upkeeping) upkeep(ctx context.Context, w *work) error {
	last := w.bg.Status.LastSwitch
	at, open := track.ShrinkAt(w.bg, w.o.Routes)
	if !open {
		return nil
	}
	if drained := track.Effective(last).Add(w.bg.Spec.DrainTime()); drained.Before(at) && endsHold(w) {
		at = drained
	}
	if w.o.Now.Before(at) {
		w.wakeAt(at)
		return nil
	}
	if w.o.Routes.Live() == last.To.Color {
		done, err := u.shrinking.shrink(ctx, w, last.From.Color, "")
		if err != nil {
			return err
		}
		w.log.InfoContext(ctx, "upkeep of the old colour", "outcome", done.text)
		if done.inUse {
			w.wakeAt(w.o.Now.Add(retryShrink))
			return nil
		}
	}
	// Somebody else has moved the traffic since, so nothing of ours needs shrinking.
	last.Shrunk = true
	return nil
}

// migrate changes the standby rule's host to the spec's, while no release relies on it.
func (u upkeeping) migrate(ctx context.Context, w *work) error {
	from := w.o.Routes.StandbyHost
	if !w.o.Routes.Exists || w.o.Routes.Gateway == nil && (from == "" || from == w.bg.StandbyHost()) {
		return nil
	}
	if g := w.o.Routes.Gateway; g != nil && (!g.Standby.Exists || g.Standby.For == w.o.Routes.Live().Other() && !g.Standby.Cohort) {
		return nil
	}
	err := u.routes.Migrate(ctx, w.bg, w.o.Routes)
	if errors.Is(err, route.ErrLostRace) {
		w.wakeAt(w.o.Now.Add(afterRace))
		return nil
	}
	if err != nil {
		return err
	}
	w.log.InfoContext(ctx, "standby place changed", "routes", w.o.Routes.String(), "from", from)
	now, err := u.routes.Observe(ctx, w.bg)
	if err != nil {
		return err // the earlier observation still shows where users are
	}
	w.o.Routes = now
	return nil
}

// minimum manages the minimum of a colour's autoscaler.
type minimum struct {
	workloads interface {
		raiser
		restorer
	}
}

// keepsSize reports whether a colour's autoscaler must not scale it down: a release brings users
// there, or users have left and it still drains or is held.
func (m minimum) keepsSize(w *work, active *v1alpha1.Release, c v1alpha1.Color) bool {
	if w.bg.Status.Active != nil && active != nil && (active.Status.Milestones.Target == c || track.Divides(active, w.o)) {
		return true
	}
	if w.o.Routes.Shared() { // users are on both, whoever divided them
		return true
	}
	last := w.bg.Status.LastSwitch
	return last != nil && !last.Shrunk && last.From.Color == c
}

// minimums keeps the autoscaler of a held colour from scaling it down, and restores the owner's
// minimum of every other colour. The act that sizes a release's target raises the target's
// minimum.
func (m minimum) minimums(ctx context.Context, w *work, active *v1alpha1.Release) {
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		side := w.o.Sides[c]
		var err error
		switch last := w.bg.Status.LastSwitch; {
		case !m.keepsSize(w, active, c):
			err = m.workloads.RestoreMinimum(ctx, w.bg, side)
		case w.bg.Status.Active != nil && active != nil && track.Divides(active, w.o):
			err = m.workloads.RaiseMinimum(ctx, w.bg, side, active.Status.Shift.Replicas)
		case last != nil && !last.Shrunk && last.From.Color == c && side.Replicas > 0:
			err = m.workloads.RaiseMinimum(ctx, w.bg, side, side.Replicas)
		}
		if err == nil {
			continue
		}
		// Nothing waits for it, and it must not stop the release's record.
		w.log.WarnContext(ctx, "the autoscaler will be set again", "autoscaler", side.Autoscaler.Name, "error", err)
		wait := retryMinimum
		if apierrors.IsForbidden(err) {
			wait = retryShrink
		}
		w.wakeAt(w.o.Now.Add(wait))
	}
}
