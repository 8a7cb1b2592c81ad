package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/record"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// pause is a wait as a state: until a time, or until something watched changes.
type pause struct {
	until    time.Time
	message  string
	commands []v1alpha1.ShellCommand // that do what the message says
	waits    *v1alpha1.Waiting       // what the message says, in facts
}

// rests reports whether there is something to wait for.
func (p pause) rests() bool { return !p.until.IsZero() || p.message != "" }

// attempt is one step of one release about to act.
type attempt struct {
	*work
	rel   *v1alpha1.Release
	saved *v1alpha1.ReleaseStatus // as last written
	log   *slog.Logger
	turn  *turn // of the step under way: what it asks of the world outside
}

// fault ends a release. It is told apart from an error of the world, which is
// tried again.
type fault struct {
	class    v1alpha1.FailureClass
	reason   v1alpha1.FailureReason
	about    about
	message  string
	commands []v1alpha1.ShellCommand // that mend it
	evidence []v1alpha1.Evidence
	// file of the repository that is wrong, if one is, and its line, from 1; 0
	// if unknown.
	file string
	line int
}

func (f *fault) Error() string { return f.message }

// releaseFault is what the release itself did wrong.
func releaseFault(reason v1alpha1.FailureReason, format string, args ...any) *fault {
	return &fault{class: v1alpha1.FaultRelease, reason: reason, message: fmt.Sprintf(format, args...)}
}

// with is the fault with the commands that mend it.
func (f *fault) with(commands ...v1alpha1.ShellCommand) *fault {
	f.commands = v1alpha1.Commands(commands...)
	return f
}

// faultOf is the fault that an error tells, with its commands.
func faultOf(class v1alpha1.FailureClass, reason v1alpha1.FailureReason, err error) *fault {
	return &fault{class: class, reason: reason, message: err.Error(), commands: shellCommands(err)}
}

// anyStep lets a release take every step.
const anyStep = v1alpha1.Step("")

// maxTimeline bounds how often steps are repeated for a target that does not
// hold still; a quiet release takes eleven.
const maxTimeline = 64

// drive moves a release until it has to wait or has ended. With only, it takes
// no other step than that one, unless the release fails at it: without a target
// its undo touches nothing but its build.
func (w *work) drive(ctx context.Context, rel *v1alpha1.Release, only v1alpha1.Step) error {
	a := w.attempt(rel)
	err := a.advance(ctx, only)
	if f, refused := errors.AsType[*fault](err); refused {
		a.fail(f)
		w.wakeAt(a.o.Now)
		return a.conclude(ctx)
	}
	return err
}

func (a *attempt) advance(ctx context.Context, only v1alpha1.Step) error {
	w, rel := a.work, a.rel
	if err := a.begin(ctx, only); err != nil {
		return err
	}
	if err := a.fence(ctx); err != nil {
		if errors.Is(err, record.ErrHeld) || ctx.Err() != nil {
			return err
		}
		a.log.WarnContext(ctx, "the ingress will be fenced later", "ingress", a.o.Routes.Name, "error", err)
		if a.tryAgain(rel.Status.Step, err, time.Time{}) {
			return a.save(ctx)
		} // else time is up; the undo does nothing before it has fenced
	}
	for range track.Bound {
		w.recordSwitch(rel)
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
			a.setMessage("built, waits for " + w.bg.Status.Active.Release)
			rel.Status.Waiting = waitsForTurn(w.bg.Status.Active.Release)
			return a.save(ctx)
		}
		if only == anyStep && a.holdsClaim() { // who cleans up beside it has nothing to measure
			if err := a.measure(s.Name); err != nil {
				return err
			}
		}
		waiting, err := a.take(ctx, s)
		if err != nil {
			return err
		}
		if waiting {
			return a.save(ctx)
		}
	}
	return fmt.Errorf("release %s took %d steps without coming to rest", rel.Name, track.Bound)
}

// begin fixes, in the claim's first write, what the release is about: from then
// on no step says live or idle.
func (a *attempt) begin(ctx context.Context, only v1alpha1.Step) error {
	st := &a.rel.Status
	if st.Version == "" {
		st.Version = a.version()
	}
	a.attest(ctx)
	if only != anyStep || st.Milestones.ClaimedAt != nil || st.Failure != nil || a.cancelled() {
		return nil
	}
	live := a.o.Routes.Live()
	previous := version(a.o.Sides[live])
	now := metav1.NewTime(a.o.Now)
	st.Milestones.ClaimedAt, st.Milestones.Previous = &now, &previous
	st.Milestones.Target = live.Other()
	if r := a.rel.Spec.Rollback; r != nil {
		// A rollback names both ends. Should users have been moved since it was
		// accepted, that is somebody else's doing, and interrupt stops it.
		st.Milestones.Target = r.To.Color
	}
	st.Phase, st.Waiting = v1alpha1.ReleaseRunning, nil
	return a.save(ctx)
}

func (a *attempt) version() string {
	if a.rel.Spec.Kind == v1alpha1.Rollback {
		return a.rel.Spec.Rollback.To.Short()
	}
	return v1alpha1.ShortCommit(a.rel.Spec.Deploy.Commit)
}

// refresh looks again at what concerns this release and may have changed within
// this look. Routes are those that the last patch left, see moveRoutes.
func (a *attempt) refresh(ctx context.Context) error {
	var err error
	a.o.Now = time.Now()
	a.o, err = a.d.of(ctx, a.bg, a.rel, a.o)
	return err
}

// interrupt ends a release that somebody cancelled, or whose objects somebody
// else changed.
func (a *attempt) interrupt() {
	if a.rel.Status.Failure != nil {
		return
	}
	if f := a.refusal(a.rel); f != nil {
		a.fail(f)
		return
	}
	if message, found := track.Interference(a.rel, a.o); found {
		a.fail(&fault{
			class: v1alpha1.FaultInterference, reason: v1alpha1.FailedInterference,
			message: message + "; nothing was changed by this release since: look at it, then ask again",
		})
		return
	}
	if stranded := a.stranded(); stranded != nil {
		a.fail(&fault{
			class: v1alpha1.FaultWorld, reason: v1alpha1.FailedLiveUnselected, message: stranded.Text, commands: stranded.Commands,
		})
		return
	}
	if by := a.rollbackBefore(); by != nil {
		a.fail(&fault{
			class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedRolledBack, about: about{release: by.Name}, message: "gives way to " + by.Name,
		})
		return
	}
	if !a.cancelled() {
		return
	}
	c := a.rel.Spec.Cancel
	message := "cancelled by " + a.rel.CancelledBy()
	if c.Reason != "" {
		message += ": " + c.Reason
	}
	a.fail(&fault{class: v1alpha1.FaultCancelled, reason: v1alpha1.FailedCancelled, about: about{by: c.By}, message: message})
}

// stranded says why a deploy must not switch: ready live pods get no users any more,
// so that what it would leave cannot be gone back to. A live version that is down is
// no reason: this release may be its cure. It is nil if nothing does.
func (a *attempt) stranded() *v1alpha1.Advice {
	m := a.rel.Status.Milestones
	if a.rel.Spec.Kind == v1alpha1.Rollback || m.Target == "" || m.SwitchIntendedAt != nil {
		return nil
	}
	return workload.Stranded(a.bg, a.o.Previous)
}

// cancelled reports whether somebody asked in time to stop the release.
func (a *attempt) cancelled() bool {
	return a.rel.Spec.Cancel != nil && a.rel.Spec.Kind == v1alpha1.Deploy && a.rel.Status.Milestones.SwitchIntendedAt == nil
}

// rollbackBefore returns the rollback that a deploy gives way to as long as it
// has not begun to move traffic: users are waiting for it, and it would find
// another version live than the one it is to leave.
func (a *attempt) rollbackBefore() *v1alpha1.Release {
	if a.rel.Spec.Kind == v1alpha1.Rollback || a.rel.Status.Milestones.Target == "" || a.rel.Status.Milestones.SwitchIntendedAt != nil {
		return nil
	}
	_, rollbacks := a.waiting(a.rel)
	for _, rel := range rollbacks {
		if good, _ := a.judgeRollback(rel); good {
			return rel
		}
	}
	return nil
}

// take lets one step act and records what came of it. It reports whether the
// release has to wait.
func (a *attempt) take(ctx context.Context, s track.Row) (bool, error) {
	if s.After != nil {
		if p := s.After(a.o); p.Rests() {
			// The step has not begun, and so its deadline does not run.
			a.setMessage(p.Message)
			a.rel.Status.Waiting = p.Waits
			if !p.Until.IsZero() {
				a.wakeAt(p.Until)
			}
			return true, nil
		}
	}
	if len(a.rel.Status.Timeline) >= maxTimeline && a.rel.Status.Failure == nil {
		a.fail(releaseFault(v1alpha1.FailedUnstable, "the target keeps changing: %d steps were taken without reaching the switch", maxTimeline))
		return false, nil
	}
	a.enter(s.Name)
	a.turn = a.turnOf(s.Name)
	if until, why := a.turn.held(a.o.Now); why != nil {
		return a.tryAgain(s.Name, why, until), nil
	}
	p, err := acts[s.Name](a, ctx)
	if ctx.Err() != nil {
		return false, fmt.Errorf("%s was cut short, so that it says nothing: %w", s.Name, ctx.Err())
	}
	return a.noteOutcome(ctx, s.Name, p, err)
}

// noteOutcome records what came of a step's act.
func (a *attempt) noteOutcome(ctx context.Context, s v1alpha1.Step, p pause, err error) (bool, error) {
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
		a.fail(f)
		return false, nil
	case err != nil:
		a.log.WarnContext(ctx, "step will be tried again", "step", s, "error", err)
		return a.tryAgain(s, err, until), nil
	case p.rests():
		if track.Overdue(a.bg, s, a.entry().StartedAt.Time, a.o.Now) {
			a.fail(a.late(ctx, s, waited))
			return false, nil
		}
		a.rest(p)
		return true, nil
	}
	a.leave()
	return false, nil
}

// turnOf is what a step of this release asks of the world outside. A release that
// does not hold the claim, or that a rollback waits for, does not wait for answers.
func (a *attempt) turnOf(s v1alpha1.Step) *turn {
	wait := patience
	if a.bg.Status.Active != nil && !a.holdsClaim() || a.rollbackWaits() {
		wait = haste
	}
	return a.d.calls.turn(client.ObjectKeyFromObject(a.bg), turnKey{release: string(a.rel.UID), step: s}, wait)
}

// holdsClaim reports whether this is the release that the claim names.
func (a *attempt) holdsClaim() bool {
	c := a.bg.Status.Active
	return c != nil && c.UID == string(a.rel.UID)
}

// rollbackWaits reports whether a rollback waits for this deploy to end.
func (a *attempt) rollbackWaits() bool {
	_, rollbacks := a.waiting(a.rel)
	return a.rel.Spec.Kind == v1alpha1.Deploy && len(rollbacks) > 0
}

// tryAgain waits after an error of the world: until the end of the back-off of the
// call that failed, or later and later, until the step's deadline. Not being able
// to look is never read as bad health.
func (a *attempt) tryAgain(s v1alpha1.Step, why error, until time.Time) bool {
	if track.Overdue(a.bg, s, a.entry().StartedAt.Time, a.o.Now) {
		limit := track.Limit(a.bg, s)
		f := faultOf(v1alpha1.FaultWorld, v1alpha1.FailedDeadline, fmt.Errorf("%s: gave up after %s: %w", s, limit, why))
		f.about = about{limit: limit, waited: waitsForError(why)}
		a.fail(f)
		return false
	}
	if until.IsZero() {
		elapsed := a.o.Now.Sub(a.entry().StartedAt.Time)
		until = time.Now().Add(min(max(elapsed/4, 500*time.Millisecond), 30*time.Second))
	}
	a.rest(pause{until: until, message: "will try again: " + why.Error(), commands: shellCommands(why), waits: waitsForError(why)})
	return true
}

// late is the fault of a step that waited too long.
func (a *attempt) late(ctx context.Context, s v1alpha1.Step, waited pause) *fault {
	limit := track.Limit(a.bg, s)
	f := &fault{
		class: v1alpha1.FaultWorld, reason: v1alpha1.FailedDeadline, about: about{limit: limit, waited: waited.waits},
		message: strings.TrimSuffix(fmt.Sprintf("%s: not done after %s: %s", s, limit, waited.message), ": "), commands: waited.commands,
	}
	a.explainLate(ctx, s, f)
	return f
}

// fail records why the release ends otherwise than as a success.
func (a *attempt) fail(f *fault) {
	st := &a.rel.Status
	f.message, f.commands = record.Message(f.message), record.Commands(f.commands)
	a.log.Info("release fails", "step", st.Step, "reason", f.reason, "class", f.class, "message", f.message)
	if st.Failure != nil { // an undo that fails keeps the first reason
		st.Findings = append(st.Findings, v1alpha1.Advise(string(st.Step)+": "+f.message, f.commands...))
		a.giveUp()
		return
	}
	st.Failure = &v1alpha1.Failure{
		Class: f.class, Step: st.Step, Reason: f.reason, Message: f.message, Commands: f.commands,
		Evidence: f.evidence, File: f.file, Line: int32(f.line), At: metav1.NewTime(a.o.Now),
	}
	f.about.into(st.Failure)
	a.unproved()
	st.Phase = v1alpha1.ReleaseUndoing
	a.setMessage(f.message)
	if a.underWay() {
		a.say(f.message)
		a.entry().Failed = true
	}
	a.leave()
}

// giveUp ends an undo that cannot be completed: traffic, or the target, stays as
// it is, and the finding just noted tells the application's owner.
func (a *attempt) giveUp() {
	now, m := metav1.NewTime(a.o.Now), &a.rel.Status.Milestones
	if track.Restored(a.rel) {
		m.DiscardedAt = &now
	} else {
		m.KeptAt = &now
	}
	a.leave()
}

// finish gives the release its final phase and lets go of the claim.
func (a *attempt) finish(ctx context.Context) error {
	a.turn = a.turnOf("")
	if w := pending(a.leaveBehind(ctx)); w != nil && !a.rollbackWaits() {
		a.wakeAt(w.pause(a.o.Now).until)
		return a.save(ctx)
	}
	st := &a.rel.Status
	now := metav1.NewTime(a.o.Now)
	st.FinishedAt = &now
	phase, message := track.Outcome(a.rel)
	st.Phase, st.Message = phase, message
	st.Commands, st.Waiting = nil, nil // those of a failure stand there
	st.Step = ""
	a.leave()
	if err := a.saveApplication(ctx); err != nil {
		return err
	}
	if err := a.conclude(ctx); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "release finished", "phase", phase, "message", message)
	if a.d.Observer != nil {
		a.d.Observer.ReleaseEnded(client.ObjectKeyFromObject(a.bg), a.rel.Spec.Kind, st.Phase)
	}
	return nil
}
