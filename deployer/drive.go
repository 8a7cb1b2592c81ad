package deployer

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// anyStep lets a release take every step.
const anyStep = v1alpha1.Step("")

// maxTimeline bounds how often steps are repeated for a target that keeps changing. A quiet
// release takes eleven steps.
const maxTimeline = 64

// driving moves a release.
type driving struct {
	recorder
	observing observing
	attesting attesting
	fencing   fencing
	switches  switches
	measuring measuring
	watching  liveWatching
	turns     turns
	timing    timing
	ending    ending
	finishing finishing
	acts      map[v1alpha1.Step]act
}

// act carries out a step, with only the clients that it needs. It looks first, acts if it must,
// and may run twice. It returns the zero pause once its milestone is recorded; otherwise when to
// look again and what it waits for. A *fault ends the release. Any other error is the world's,
// and the act is retried until the step's deadline.
type act interface {
	do(ctx context.Context, a *attempt) (pause, error)
}

// drive moves a release until it has to wait or has ended. If only is set, it takes just that
// step, unless the release fails at it: without a target, the undo touches only the build.
func (d driving) drive(ctx context.Context, w *work, rel *v1alpha1.Release, only v1alpha1.Step) error {
	a := w.attempt(rel)
	err := d.advance(ctx, a, only)
	if f, refused := errors.AsType[*fault](err); refused {
		d.ending.fail(a, f)
		w.wakeAt(a.o.Now)
		return d.conclude(ctx, a)
	}
	return err
}

// advance takes the due steps, one after the other.
func (d driving) advance(ctx context.Context, a *attempt, only v1alpha1.Step) error {
	w, rel := a.work, a.rel
	d.begin(ctx, a, only)
	if err := d.fencing.fence(ctx, a); err != nil {
		if errors.Is(err, record.ErrHeld) || ctx.Err() != nil {
			return err
		}
		a.log.WarnContext(ctx, "fencing the routes failed, trying again later", "routes", a.o.Routes.String(), "error", err)
		if d.timing.tryAgain(a, rel.Status.Step, err, time.Time{}) {
			return d.save(ctx, a)
		} // otherwise time is up, and the undo fences before it changes anything
	}
	for range track.Bound {
		d.switches.recordSwitch(w, rel)
		if err := d.refresh(ctx, a); err != nil {
			return err
		}
		if f := interrupted(a); f != nil {
			d.ending.fail(a, f)
		}
		s, ok := track.Next(rel, w.o)
		if !ok {
			return d.finishing.finish(ctx, a)
		}
		if only != anyStep && s.Name != only && rel.Status.Failure == nil {
			rel.Status.Phase = v1alpha1.ReleaseQueued
			a.setMessage("built, waits for " + w.bg.Status.Active.Release)
			rel.Status.Waiting = waitsForTurn(w.bg.Status.Active.Release)
			return d.save(ctx, a)
		}
		if only == anyStep && a.holdsClaim() { // a release that only cleans up measures nothing
			if err := d.measuring.measure(ctx, a, s.Name); err != nil {
				return err
			}
			p, err := d.watching.watch(ctx, a, s.Name)
			if err != nil {
				return err
			}
			if p.rests() {
				a.hold(p)
				return d.rest(ctx, a)
			}
		}
		waiting, err := d.take(ctx, a, s)
		if err != nil {
			return err
		}
		if waiting {
			return d.rest(ctx, a)
		}
	}
	return fmt.Errorf("release %s took %d steps without coming to rest", rel.Name, track.Bound)
}

// begin fixes which colours the release concerns. From then on no step uses live or idle. It is
// saved with the first step, before that acts; the build saves it itself.
func (d driving) begin(ctx context.Context, a *attempt, only v1alpha1.Step) {
	st := &a.rel.Status
	if st.Version == "" {
		st.Version = versionOf(a.rel)
	}
	d.attesting.attest(ctx, a)
	if only != anyStep || st.Milestones.ClaimedAt != nil || st.Failure != nil || cancelled(a) {
		return
	}
	now := metav1.NewTime(a.o.Now)
	if a.rel.Spec.Contract != nil { // it moves nobody
		st.Milestones.ClaimedAt, st.Phase, st.Waiting = &now, v1alpha1.ReleaseRunning, nil
		return
	}
	live := a.o.Routes.Live()
	target := live.Other()
	if r := a.rel.Spec.Rollback; r != nil {
		// A rollback names both ends. If somebody moved users after it was accepted, interrupt
		// stops the release.
		target = r.To.Color
		if a.o.Routes.Mixed() {
			a.route().Mixed, live = true, target.Other()
		}
	}
	previous := version(a.o.Sides[live])
	st.Milestones.ClaimedAt, st.Milestones.Previous, st.Milestones.Target = &now, &previous, target
	st.Milestones.Beside = besideOf(a, live)
	a.o.Routes = a.o.Routes.DuringRelease(a.rel)
	st.Phase, st.Waiting = v1alpha1.ReleaseRunning, nil
}

// refresh reads again what concerns this release and may have changed within this look. The
// routes are those of the last patch, see moveRoutes.
func (d driving) refresh(ctx context.Context, a *attempt) error {
	var err error
	a.o.Now = time.Now()
	a.o, err = d.observing.of(ctx, a.bg, a.rel, a.o)
	return err
}

// take lets one step act and records the result. It reports whether the release must wait.
func (d driving) take(ctx context.Context, a *attempt, s track.Row) (bool, error) {
	if s.After != nil {
		if p := s.After(a.o); p.Rests() {
			a.hold(pause{until: p.Until, message: p.Message, waits: p.Waits})
			return true, nil
		}
	}
	if len(a.rel.Status.Timeline) >= maxTimeline && a.rel.Status.Failure == nil {
		d.ending.fail(a, releaseFault(v1alpha1.FailedUnstable, "the target keeps changing: %d steps were taken without reaching the switch",
			maxTimeline))
		return false, nil
	}
	d.timing.enter(a, s.Name)
	a.turn = d.turns.turnOf(a, s.Name)
	if until, why := a.turn.held(a.o.Now); why != nil {
		return d.timing.tryAgain(a, s.Name, why, until), nil
	}
	if claimed := a.rel.Status.Milestones.ClaimedAt; claimed != nil && a.saved.Milestones.ClaimedAt == nil && s.Name != v1alpha1.StepBuild {
		if err := d.save(ctx, a); err != nil {
			return false, err
		}
	}
	p, err := d.acts[s.Name].do(ctx, a)
	if ctx.Err() != nil {
		return false, fmt.Errorf("%s was cut short, so it has no result: %w", s.Name, ctx.Err())
	}
	return d.noteOutcome(ctx, a, s.Name, p, err)
}

// noteOutcome records the result of a step's act.
func (d driving) noteOutcome(ctx context.Context, a *attempt, s v1alpha1.Step, p pause, err error) (bool, error) {
	if errors.Is(err, record.ErrHeld) {
		return false, err
	}
	waited := p
	var until time.Time
	if w := pending(err); w != nil {
		p, waited, err = w.pause(a.o.Now), w.told(), nil
	} else {
		until = a.turn.settle(a.o.Now, err)
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		d.ending.fail(a, f)
		return false, nil
	case err != nil:
		a.log.WarnContext(ctx, "step will be tried again", "step", s, "error", err)
		return d.timing.tryAgain(a, s, err, until), nil
	case p.rests():
		if track.Overdue(a.bg, s, a.entry().StartedAt.Time, a.o.Now) {
			d.ending.fail(a, d.timing.late(ctx, a, s, waited))
			return false, nil
		}
		a.rest(p)
		return true, nil
	}
	d.ending.leave(a)
	return false, nil
}
