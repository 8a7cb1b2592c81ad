package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// anyStep lets a release take every step.
const anyStep = v1alpha1.Step("")

// maxTimeline bounds how often steps are repeated for a target that keeps changing; a quiet
// release takes eleven.
const maxTimeline = 64

// driving moves a release.
type driving struct{ *work }

// drive moves a release until it has to wait or has ended. With only, it takes no step but that
// one, unless the release fails at it: without a target, its undo touches nothing but its
// build.
func (w driving) drive(ctx context.Context, rel *v1alpha1.Release, only v1alpha1.Step) error {
	a := w.attempt(rel)
	err := drive{a}.advance(ctx, only)
	if f, refused := errors.AsType[*fault](err); refused {
		ending{a}.fail(f)
		w.wakeAt(a.o.Now)
		return a.conclude(ctx)
	}
	return err
}

// drive moves one release until it has to wait.
type drive struct{ attempt *attempt }

func (a drive) advance(ctx context.Context, only v1alpha1.Step) error {
	w, rel := a.attempt.work, a.attempt.rel
	if err := a.begin(ctx, only); err != nil {
		return err
	}
	if err := (moving{a.attempt}).fence(ctx); err != nil {
		if errors.Is(err, record.ErrHeld) || ctx.Err() != nil {
			return err
		}
		a.attempt.log.WarnContext(ctx, "the ingress will be fenced later", "ingress", a.attempt.o.Routes.Name, "error", err)
		if a.tryAgain(rel.Status.Step, err, time.Time{}) {
			return a.attempt.save(ctx)
		} // otherwise time is up; the undo does nothing before it has fenced
	}
	for range track.Bound {
		switches{w}.recordSwitch(rel)
		if err := a.refresh(ctx); err != nil {
			return err
		}
		a.interrupt()
		s, ok := track.Next(rel, w.o)
		if !ok {
			return a.finish(ctx)
		}
		if only != anyStep && s.Name != only && rel.Status.Failure == nil {
			rel.Status.Phase = v1alpha1.ReleaseQueued
			a.attempt.setMessage("built, waits for " + w.bg.Status.Active.Release)
			rel.Status.Waiting = waitsForTurn(w.bg.Status.Active.Release)
			return a.attempt.save(ctx)
		}
		if only == anyStep && (turns{a.attempt}).holdsClaim() { // a release that only cleans up measures nothing
			if err := measuring(a).measure(s.Name); err != nil {
				return err
			}
		}
		waiting, err := a.take(ctx, s)
		if err != nil {
			return err
		}
		if waiting {
			return a.attempt.save(ctx)
		}
	}
	return fmt.Errorf("release %s took %d steps without coming to rest", rel.Name, track.Bound)
}

// begin fixes, in the claim's first write, what the release is about: from then on no step uses
// live or idle.
func (a drive) begin(ctx context.Context, only v1alpha1.Step) error {
	st := &a.attempt.rel.Status
	if st.Version == "" {
		st.Version = versionOf(a.attempt.rel)
	}
	attesting{a.attempt}.attest(ctx)
	if only != anyStep || st.Milestones.ClaimedAt != nil || st.Failure != nil || a.cancelled() {
		return nil
	}
	live := a.attempt.o.Routes.Live()
	previous := version(a.attempt.o.Sides[live])
	now := metav1.NewTime(a.attempt.o.Now)
	st.Milestones.ClaimedAt, st.Milestones.Previous = &now, &previous
	st.Milestones.Target = live.Other()
	if r := a.attempt.rel.Spec.Rollback; r != nil {
		// A rollback names both ends. If users were moved after it was accepted, somebody
		// else did it, and interrupt stops the release.
		st.Milestones.Target = r.To.Color
	}
	st.Phase, st.Waiting = v1alpha1.ReleaseRunning, nil
	return a.attempt.save(ctx)
}

// refresh looks again at what concerns this release and may have changed within this look. The
// routes are those that the last patch left, see moveRoutes.
func (a drive) refresh(ctx context.Context) error {
	var err error
	a.attempt.o.Now = time.Now()
	a.attempt.o, err = a.attempt.d.of(ctx, a.attempt.bg, a.attempt.rel, a.attempt.o)
	return err
}

// interrupt ends a release that somebody cancelled, or whose objects somebody else changed.
func (a drive) interrupt() {
	if a.attempt.rel.Status.Failure != nil {
		return
	}
	if f := (borders{a.attempt.work}).refusal(a.attempt.rel); f != nil {
		ending{a.attempt}.fail(f)
		return
	}
	if message, found := track.Interference(a.attempt.rel, a.attempt.o); found {
		ending{a.attempt}.fail(&fault{
			class: v1alpha1.FaultInterference, reason: v1alpha1.FailedInterference,
			message: message + "; nothing was changed by this release since: look at it, then ask again",
		})
		return
	}
	if stranded := a.stranded(); stranded != nil {
		ending{a.attempt}.fail(&fault{
			class: v1alpha1.FaultWorld, reason: v1alpha1.FailedLiveUnselected, message: stranded.Text, commands: stranded.Commands,
		})
		return
	}
	if by := a.rollbackBefore(); by != nil {
		ending{a.attempt}.fail(&fault{
			class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedRolledBack, about: about{release: by.Name}, message: "gives way to " + by.Name,
		})
		return
	}
	if !a.cancelled() {
		return
	}
	c := a.attempt.rel.Spec.Cancel
	message := "cancelled by " + a.attempt.rel.CancelledBy()
	if c.Reason != "" {
		message += ": " + c.Reason
	}
	ending{a.attempt}.fail(&fault{class: v1alpha1.FaultCancelled, reason: v1alpha1.FailedCancelled, about: about{by: c.By}, message: message})
}

// stranded says why a deploy must not switch: ready live pods no longer get users, so there
// would be nothing to go back to. If the live version is down, the deploy may switch: it may be
// the fix. It is nil if nothing speaks against the switch.
func (a drive) stranded() *v1alpha1.Advice {
	m := a.attempt.rel.Status.Milestones
	if a.attempt.rel.Spec.Kind == v1alpha1.Rollback || m.Target == "" || m.SwitchIntendedAt != nil {
		return nil
	}
	return track.Stranded(a.attempt.bg, a.attempt.o.Previous)
}

// cancelled reports whether somebody asked in time to stop the release.
func (a drive) cancelled() bool {
	return a.attempt.rel.Spec.Cancel != nil && a.attempt.rel.Spec.Kind == v1alpha1.Deploy &&
		a.attempt.rel.Status.Milestones.SwitchIntendedAt == nil
}

// rollbackBefore returns the rollback that a deploy gives way to, as long as the deploy has not
// begun to move traffic: users are waiting for the rollback, which would otherwise find another
// version live than the one it is to leave.
func (a drive) rollbackBefore() *v1alpha1.Release {
	if a.attempt.rel.Spec.Kind == v1alpha1.Rollback || a.attempt.rel.Status.Milestones.Target == "" ||
		a.attempt.rel.Status.Milestones.SwitchIntendedAt != nil {
		return nil
	}
	_, rollbacks := a.attempt.waiting(a.attempt.rel)
	for _, rel := range rollbacks {
		if good, _ := (rollbackJudge{a.attempt.bg, a.attempt.releases}).judgeRollback(rel); good {
			return rel
		}
	}
	return nil
}

// take lets one step act and records the result. It reports whether the release has to wait.
func (a drive) take(ctx context.Context, s track.Row) (bool, error) {
	if s.After != nil {
		if p := s.After(a.attempt.o); p.Rests() {
			// The step has not begun, so its deadline does not run.
			a.attempt.setMessage(p.Message)
			a.attempt.rel.Status.Waiting = p.Waits
			if !p.Until.IsZero() {
				a.attempt.wakeAt(p.Until)
			}
			return true, nil
		}
	}
	if len(a.attempt.rel.Status.Timeline) >= maxTimeline && a.attempt.rel.Status.Failure == nil {
		ending{a.attempt}.fail(releaseFault(v1alpha1.FailedUnstable, "the target keeps changing: %d steps were taken without reaching the switch",
			maxTimeline))
		return false, nil
	}
	a.enter(s.Name)
	a.attempt.turn = turns{a.attempt}.turnOf(s.Name)
	if until, why := a.attempt.turn.held(a.attempt.o.Now); why != nil {
		return a.tryAgain(s.Name, why, until), nil
	}
	p, err := acts[s.Name](ctx, a.attempt)
	if ctx.Err() != nil {
		return false, fmt.Errorf("%s was cut short, so that it says nothing: %w", s.Name, ctx.Err())
	}
	return a.noteOutcome(ctx, s.Name, p, err)
}

// noteOutcome records the result of a step's act.
func (a drive) noteOutcome(ctx context.Context, s v1alpha1.Step, p pause, err error) (bool, error) {
	if errors.Is(err, record.ErrHeld) {
		return false, err
	}
	waited := p
	var until time.Time
	if w := pending(err); w != nil {
		p, waited, err = w.pause(a.attempt.o.Now), w.told(), nil
	} else {
		until = a.attempt.turn.settle(a.attempt.o.Now, err)
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		ending{a.attempt}.fail(f)
		return false, nil
	case err != nil:
		a.attempt.log.WarnContext(ctx, "step will be tried again", "step", s, "error", err)
		return a.tryAgain(s, err, until), nil
	case p.rests():
		if track.Overdue(a.attempt.bg, s, a.attempt.entry().StartedAt.Time, a.attempt.o.Now) {
			ending{a.attempt}.fail(a.late(ctx, s, waited))
			return false, nil
		}
		a.rest(p)
		return true, nil
	}
	ending{a.attempt}.leave()
	return false, nil
}

// tryAgain waits after an error of the world: until the end of the failed call's back-off, or at
// growing intervals, until the step's deadline. A failed check is not treated as an unhealthy
// application.
func (a drive) tryAgain(s v1alpha1.Step, why error, until time.Time) bool {
	if track.Overdue(a.attempt.bg, s, a.attempt.entry().StartedAt.Time, a.attempt.o.Now) {
		limit := track.Limit(a.attempt.bg, s)
		f := faultOf(v1alpha1.FaultWorld, v1alpha1.FailedDeadline, fmt.Errorf("%s: gave up after %s: %w", s, limit, why))
		f.about = about{limit: limit, waited: waitsForError(why)}
		ending{a.attempt}.fail(f)
		return false
	}
	if until.IsZero() {
		elapsed := a.attempt.o.Now.Sub(a.attempt.entry().StartedAt.Time)
		until = time.Now().Add(min(max(elapsed/4, 500*time.Millisecond), 30*time.Second))
	}
	a.rest(pause{until: until, message: "will try again: " + why.Error(), commands: shellCommands(why), waits: waitsForError(why)})
	return true
}

// late is the fault of a step that waited too long.
func (a drive) late(ctx context.Context, s v1alpha1.Step, waited pause) *fault {
	limit := track.Limit(a.attempt.bg, s)
	f := &fault{
		class: v1alpha1.FaultWorld, reason: v1alpha1.FailedDeadline, about: about{limit: limit, waited: waited.waits},
		message: strings.TrimSuffix(fmt.Sprintf("%s: not done after %s: %s", s, limit, waited.message), ": "), commands: waited.commands,
	}
	a.explainLate(ctx, s, f)
	return f
}

// finish gives the release its final phase and releases the claim.
func (a drive) finish(ctx context.Context) error {
	a.attempt.turn = turns{a.attempt}.turnOf("")
	if w := pending(promoteAct{a.attempt}.leaveBehind(ctx)); w != nil && !(turns{a.attempt}).rollbackWaits() {
		a.attempt.wakeAt(w.pause(a.attempt.o.Now).until)
		return a.attempt.save(ctx)
	}
	st := &a.attempt.rel.Status
	now := metav1.NewTime(a.attempt.o.Now)
	st.FinishedAt = &now
	phase, message := track.Outcome(a.attempt.rel)
	st.Phase, st.Message = phase, message
	st.Commands, st.Waiting = nil, nil // st.Failure has those of a failure
	st.Step = ""
	ending{a.attempt}.leave()
	if err := (appStatus{a.attempt.work}).saveApplication(ctx); err != nil {
		return err
	}
	if err := a.attempt.conclude(ctx); err != nil {
		return err
	}
	a.attempt.log.InfoContext(ctx, "release finished", "phase", phase, "message", message)
	if a.attempt.d.Observer != nil {
		a.attempt.d.Observer.ReleaseEnded(client.ObjectKeyFromObject(a.attempt.bg), a.attempt.rel.Spec.Kind, st.Phase)
	}
	return nil
}

// explainLate completes the fault of a step that waited too long for pods.
func (a drive) explainLate(ctx context.Context, s v1alpha1.Step, f *fault) {
	row := track.RowOf(s)
	if row.Late == nil {
		return
	}
	asked, found := row.Late(a.attempt.rel, a.attempt.o), track.Shown{}
	if asked.Pods {
		found.Evidence = a.attempt.d.Workloads.Evidence(ctx, a.attempt.bg, a.attempt.o.Target)
	}
	if asked.LoadBalancer {
		live, err := a.attempt.d.Routes.Groups(ctx, a.attempt.bg, a.attempt.o.Routes, a.attempt.target().Other())
		found.LiveHealthy = err == nil && len(live) > 0 && !slices.ContainsFunc(live, func(g track.Group) bool { return !g.Healthy() })
	}
	blame := track.Explain(asked, a.attempt.rel, a.attempt.o, found)
	f.class, f.evidence = blame.Class, blame.Evidence
	if blame.Hint != "" {
		f.message += ": " + blame.Hint
	}
}

// enter opens an entry for a step, unless it is the current one. A step that is taken again gets
// its own entry, and so its own deadline.
func (a drive) enter(s v1alpha1.Step) {
	st := &a.attempt.rel.Status
	if n := len(st.Timeline); n > 0 && st.Timeline[n-1].FinishedAt == nil {
		if st.Timeline[n-1].Step == s {
			return
		}
		a.noLongerNeeded()
		ending{a.attempt}.leave()
	}
	st.Step, st.Waiting = s, nil
	if s == v1alpha1.StepVerify {
		st.Gate = nil // rounds of an earlier pass do not count
	}
	if st.Failure == nil {
		st.Phase = v1alpha1.ReleaseRunning
	}
	st.Timeline = append(st.Timeline, v1alpha1.TimelineEntry{Step: s, StartedAt: metav1.NewMicroTime(a.attempt.o.Now)})
}

// noLongerNeeded says how a repeated step ended when the release continues without its act, since
// the condition for which it was repeated holds again. What it last waited for no longer
// applies.
func (a drive) noLongerNeeded() {
	m := &a.attempt.rel.Status.Milestones
	switch a.attempt.entry().Step {
	case v1alpha1.StepStage, v1alpha1.StepSize:
		if track.RunsAtSize(a.attempt.rel, a.attempt.o) {
			m.Staged.Replicas = a.attempt.o.Target.Replicas
			saying{a.attempt}.sayStaged()
		}
	case v1alpha1.StepWarm:
		if w := track.Warm(a.attempt.rel, a.attempt.o); w.Warm {
			saying{a.attempt}.sayWarm(w)
		}
	case v1alpha1.StepPromote:
		if m.Approved != nil && !a.attempt.o.Locked {
			saying{a.attempt}.sayApproved()
		}
	default: // the other steps leave nothing before their acts end
	}
}

// rest notes what the release waits for, and when to look again.
func (a drive) rest(p pause) {
	if p.message != "" {
		a.attempt.setMessage(p.message, p.commands...)
		a.attempt.rel.Status.Waiting = p.waits
		a.attempt.say(p.message)
	}
	if !p.until.IsZero() {
		a.attempt.wakeAt(p.until)
	}
}
