package report

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// nextSteps shows what a reader can do now.
type nextSteps struct{ v view }

// text says what to type now.
func (n nextSteps) text() string {
	if n.v.rollback() {
		return n.nextOfRollback()
	}
	if n.v.lock() != nil {
		return fmt.Sprintf("Next: %s lets it go on · %s stops it", n.v.command(command.Unlock), n.v.command(command.Cancel))
	}
	switch n.v.rel.Status.Phase {
	case v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		return n.nextOfEnded()
	case v1alpha1.ReleaseUndoing:
		return "Nothing to do while it is being undone; " + n.liveNow()
	case v1alpha1.ReleaseWaiting:
		if n.v.rel.Divides() {
			return "Next: " + n.promotions() + n.stepEnds()
		}
		return fmt.Sprintf("Next: %s moves users to it · %s discards it%s", n.v.command(command.Promote), n.v.command(command.Cancel),
			n.approvalEnds())
	case v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning:
	}
	return n.nextUnderWay()
}

// approvalEnds says when Turnout discards a release that nobody approves.
func (n nextSteps) approvalEnds() string {
	steps, limit := n.v.rel.Status.Timeline, n.v.app.Spec.Promotion.Timeout.Duration
	if len(steps) == 0 || steps[len(steps)-1].Step != v1alpha1.StepPromote || limit <= 0 {
		return ""
	}
	since := steps[len(steps)-1].StartedAt.Time
	if t := n.v.app.Status.UnlockedAt; t != nil && t.After(since) {
		since = t.Time // nobody could approve before
	}
	return ", as happens by itself on " + date(since.Add(limit))
}

// promotions says what a canary can be told.
func (n nextSteps) promotions() string {
	back := fmt.Sprintf("%s takes users back from it", n.v.command(command.Rollback))
	all := n.v.typed(command.Promote)
	to := n.v.rel.NextWeight()
	switch {
	case n.v.rel.Spec.Promoted() >= v1alpha1.Everybody:
		return back
	case to == v1alpha1.Everybody:
		return fmt.Sprintf("%s gives it all users now · %s", code(all), back)
	}
	return fmt.Sprintf("%s gives it %d %% of the users now, %s all of them · %s", code(all), to,
		code(fmt.Sprint(all, " ", v1alpha1.Everybody)), back)
}

// stepEnds says when Turnout takes users back that nobody promotes.
func (n nextSteps) stepEnds() string {
	if w := n.v.rel.Status.Waiting; w != nil && w.Until != nil {
		return ", as happens by itself on " + date(w.Until.Time)
	}
	return ""
}

// nextOfEnded says what to type after a deploy has ended.
func (n nextSteps) nextOfEnded() string {
	retry := n.v.command(command.Retry)
	switch mixed := n.v.app.Status.Mixed; {
	case mixed != nil && mixed.Back != nil && mixed.Back.From.Release == n.v.rel.Name:
		return fmt.Sprintf("Next: %s brings all users to %s on %s, which they had before", n.v.command(command.Rollback),
			code(mixed.Back.To.Short()), mixed.Back.To.Color)
	case n.v.replaced != nil:
		return fmt.Sprintf("Nothing to do; %s shows what is live", n.v.command(command.Status))
	case Moved(n.v.rel) && n.v.rel.Status.Phase != v1alpha1.ReleaseSuperseded:
		return n.readiness() // also after a failure that could not be undone
	}
	switch n.v.rel.Status.Phase {
	case v1alpha1.ReleaseFailed:
		return fmt.Sprintf("Next: merge a fix, or %s; %s", retry, n.liveNow())
	case v1alpha1.ReleaseError:
		return fmt.Sprintf("Next: fix what it names, then %s; %s", retry, n.liveNow())
	case v1alpha1.ReleaseCancelled:
		return fmt.Sprintf("Next: %s or %s starts it again; %s", n.v.command(command.Promote), retry, n.liveNow())
	case v1alpha1.ReleaseSuperseded, v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning,
		v1alpha1.ReleaseWaiting, v1alpha1.ReleaseUndoing:
	}
	return fmt.Sprintf("Nothing to do; %s shows what is live", n.v.command(command.Status))
}

// nextUnderWay says what to type while a deploy needs nobody.
func (n nextSteps) nextUnderWay() string {
	switch {
	case n.v.rel.Status.Phase == v1alpha1.ReleaseQueued && n.blocked(), len(n.v.waitCommands()) > 0:
		return fmt.Sprintf("Next: fix what it names; then it goes on by itself · %s stops it", n.v.command(command.Cancel))
	case Moved(n.v.rel):
		return n.readiness()
	case n.v.rel.Status.Milestones.SwitchIntendedAt != nil:
		return fmt.Sprintf("Next: %s goes back as soon as the switch is confirmed", n.v.command(command.Rollback))
	case n.v.rel.Divides():
		return "Nothing to do; " + n.promotions()
	case n.v.app.Status.Lock != nil:
		return fmt.Sprintf("Next: it will wait before users are moved, %s; %s lets it go on · %s stops it",
			lockText(n.v.app.Status.Lock, plain), n.v.command(command.Unlock), n.v.command(command.Cancel))
	case n.v.app.Spec.Promotion.Mode == v1alpha1.PromotionManual && n.v.rel.Spec.Approval == nil:
		return fmt.Sprintf("Next: %s lets it switch as soon as the gate passes · %s stops it", n.v.command(command.Promote),
			n.v.command(command.Cancel))
	}
	return fmt.Sprintf("Nothing to do; %s stops it, users have not seen it yet", n.v.command(command.Cancel))
}

// blocked reports whether a person has to fix something before any release can run.
func (n nextSteps) blocked() bool {
	return meta.IsStatusConditionFalse(n.v.app.Status.Conditions, v1alpha1.ConditionReady)
}

// readiness says what a rollback would do, and how long it would take. It is instant while
// the old colour has its full size; later it takes about as long as starting the pods took
// this time.
func (n nextSteps) readiness() string {
	m := n.v.rel.Status.Milestones
	if m.Previous == nil || m.SwitchedAt == nil {
		return ""
	}
	back := command.FindWayBack(n.v.app, m.Previous, n.v.around.Releases)
	if back.Closed() && n.last() {
		return "Next: merge a fix if something is wrong. " + inMarkdown(*back.Lacks).Says
	}
	gate := n.gate()
	if over := n.stagedOver(); over != nil {
		return fmt.Sprintf("Next: %s returns to %s, whose pods are started first: %s was staged in their place%s", n.v.command(command.Rollback),
			code(m.Previous.Short()), code(n.v.of(over).short()), gate)
	}
	if why := n.unready(); why != nil {
		return fmt.Sprintf("Next: %s returns to %s once its pods have started and are healthy: %s%s", n.v.command(command.Rollback),
			code(m.Previous.Short()), inMarkdown(*why).Says, gate)
	}
	if gate != "" {
		return fmt.Sprintf("Next: %s returns to %s, which still runs%s", n.v.command(command.Rollback), code(m.Previous.Short()), gate)
	}
	until := m.SwitchedAt.Add(max(n.v.app.Spec.HoldTime(), n.v.app.Spec.DrainTime()))
	later := "after that its pods are started first"
	if took := startup(n.v.rel); took > 0 {
		later = "in " + prose.Estimate(took) + " after that" + longer(command.MayTakeLonger(n.v.app, n.v.rel.Status.Route))
	}
	return fmt.Sprintf("Next: %s returns to %s at once until %s, %s",
		n.v.command(command.Rollback), code(m.Previous.Short()), minute(until, m.SwitchedAt.Time), later)
}

// gate says that the previous version's health gate decides about a rollback; "" if it does not.
func (n nextSteps) gate() string {
	previous := n.v.rel.Status.Milestones.Previous
	if previous == nil || !n.last() {
		return ""
	}
	back := command.FindWayBack(n.v.app, previous, n.v.around.Releases)
	if back.IfHealthy == nil {
		return ""
	}
	return "; " + gateFirst(back)
}

// last reports whether the release was the last one to move users.
func (n nextSteps) last() bool {
	last := n.v.app.Status.LastSwitch
	return last != nil && last.UID == string(n.v.rel.UID)
}

// unready says why a rollback would not be instant, as the deployer sees it now. It is nil
// if it would be, or if the announced hold has ended.
func (n nextSteps) unready() *command.Fact {
	if n.last() && n.v.app.Status.LastSwitch.Shrunk {
		return nil
	}
	return command.MissingNow(n.v.app, n.v.rel.Status.Milestones.Previous.Color)
}

// stagedOver is the deploy that replaced the pods of the previous version while they were
// still to be kept; nil if there is none.
func (n nextSteps) stagedOver() *v1alpha1.Release {
	m := n.v.rel.Status.Milestones
	if !Moved(n.v.rel) || n.v.replaced != nil || m.Previous == nil {
		return nil
	}
	return command.StagedOver(m.Previous.Color, m.SwitchedAt.Time, n.v.around.Releases)
}

// promised reports whether the comment promised an instant rollback when that release was
// staged. If not, there is nothing to correct.
func (n nextSteps) promised(over *v1alpha1.Release) bool {
	m := n.v.rel.Status.Milestones
	until := m.SwitchedAt.Add(max(n.v.app.Spec.HoldTime(), n.v.app.Spec.DrainTime()))
	for _, entry := range over.Status.Timeline {
		if entry.Step == v1alpha1.StepStage {
			return entry.StartedAt.Time.Before(until)
		}
	}
	return false
}

// startup is how long the target's pods took to start and to warm up; 0 if the timeline
// does not show it.
func startup(rel *v1alpha1.Release) time.Duration {
	var sum time.Duration
	for _, entry := range rel.Status.Timeline {
		if entry.FinishedAt != nil && (entry.Step == v1alpha1.StepStage || entry.Step == v1alpha1.StepWarm) {
			sum += entry.FinishedAt.Sub(entry.StartedAt.Time)
		}
	}
	return sum
}

// nextOfRollback says what to type on a rollback.
func (n nextSteps) nextOfRollback() string {
	left := code(n.v.rel.Spec.Rollback.From.Short())
	switch n.v.rel.Status.Phase {
	case v1alpha1.ReleaseSucceeded:
		if n.v.replaced != nil {
			return fmt.Sprintf("Nothing to do; %s shows what is live", n.v.command(command.Status))
		}
		return fmt.Sprintf("Next: merge a fix, or %s the same; whatever contains %s waits for %s from now on",
			n.v.command(command.Retry), left, n.v.command(command.Promote))
	case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		if Moved(n.v.rel) {
			return fmt.Sprintf("Next: look at the reason above; %s shows what is live. %s was left", n.v.command(command.Status), left)
		}
		return fmt.Sprintf("Next: fix what it names, then %s tries again; the rollback from %s has failed, %s shows what is live",
			n.v.command(command.Rollback), left, n.v.command(command.Status))
	case v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseUndoing:
	}
	return "Nothing to do; " + left + " is being rolled back"
}

func (n nextSteps) liveNow() string {
	if p := n.v.previous(); p != nil && !Moved(n.v.rel) && !interference(n.v.rel) {
		return fmt.Sprintf("%s on %s serves users", code(p.Short()), p.Color)
	}
	return n.v.command(command.Status) + " shows what is live"
}

// afterwards says what became of the release that superseded this one. From it an author
// learns that a change shipped with another one.
func (n nextSteps) afterwards() string {
	if n.v.rel.Status.SupersededBy == "" {
		return ""
	}
	name := code(n.v.successor())
	if n.v.heir == nil {
		return name + " took its place"
	}
	heir := n.v.of(n.v.heir)
	name = heir.versionLink(heir.commit(), heir.short())
	if lock := heir.lock(); lock != nil {
		return fmt.Sprintf("🔒 It ships with %s, which waits: %s", name, lockText(lock, plain))
	}
	switch n.v.heir.Status.Phase {
	case v1alpha1.ReleaseSucceeded:
		return fmt.Sprintf("✅ Shipped with %s, %s", name, headline{heir}.when())
	case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		reason, commands := heir.failed(maxAdvice), n.v.heir.Status.Commands
		if f := n.v.heir.Status.Failure; f != nil {
			commands = f.Commands
		}
		text := fmt.Sprintf("%s Its successor %s %s; %s", headline{heir}.mark(), name, headline{heir}.fate(), outcome{heir}.consequence())
		if reason != "" {
			text = withCommands(text+"\n"+upperFirst(reason), commands)
		}
		return text
	case v1alpha1.ReleaseUndoing:
		return fmt.Sprintf("↩️ Its successor %s %s and is being undone", name, headline{heir}.fate())
	case v1alpha1.ReleaseWaiting:
		return fmt.Sprintf("✋ It ships with %s, which waits", name)
	case v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning:
	}
	if Moved(n.v.heir) {
		return fmt.Sprintf("🚆 It is live with %s, which is being watched", name)
	}
	return fmt.Sprintf("🚆 It ships with %s, which is under way", name)
}
