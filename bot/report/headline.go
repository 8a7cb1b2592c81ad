package report

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// headline says in one line what became of which version, on which colour, who
// asked and when.
func (v view) headline() string {
	title := fmt.Sprintf("%s %s: %s", v.mark(), plain(v.app.Name), v.state())
	if n := v.attempt(); n > 1 {
		title += fmt.Sprintf(", attempt %d", n)
	}
	var who []string
	for _, part := range []string{plain(v.rel.AskedBy()), v.when()} {
		if part != "" {
			who = append(who, part)
		}
	}
	if len(who) == 0 {
		return title
	}
	return title + " · " + strings.Join(who, ", ")
}

// mark shows the state from afar.
func (v view) mark() string {
	switch v.rel.Status.Phase {
	case v1alpha1.ReleaseRunning:
		return "🚆"
	case v1alpha1.ReleaseWaiting:
		if v.lock() == nil {
			return "✋"
		}
	case v1alpha1.ReleaseUndoing:
		return "↩️"
	case v1alpha1.ReleaseSucceeded:
		switch {
		case v.replaced != nil && v.broughtBack() == nil:
			return "☑️"
		case v.rollback():
			return "↩️"
		}
		return "✅"
	case v1alpha1.ReleaseFailed:
		return "❌"
	case v1alpha1.ReleaseError:
		return "⚠️"
	case v1alpha1.ReleaseCancelled:
		return "🚫"
	case v1alpha1.ReleaseSuperseded:
		return "⏭️"
	case v1alpha1.ReleaseQueued:
	}
	if v.lock() != nil {
		return "🔒"
	}
	return "⏳"
}

// state says what a release's version does, or what became of it.
func (v view) state() string {
	version := code(v.short())
	if v.lock() != nil {
		return version + " waits behind a lock"
	}
	switch v.rel.Status.Phase {
	case v1alpha1.ReleaseRunning:
		return version + " " + v.progress()
	case v1alpha1.ReleaseWaiting:
		return fmt.Sprintf("%s waits on %s for `%s`", version, v.target(), v.typed(command.Promote))
	case v1alpha1.ReleaseUndoing:
		return v.way() + version + " " + v.fate() + " and is being undone"
	case v1alpha1.ReleaseSucceeded:
		switch {
		case v.broughtBack() != nil:
			return fmt.Sprintf("%s is live on %s again", version, v.target())
		case v.replaced != nil:
			return fmt.Sprintf("%s was live on %s", version, v.target())
		case v.rollback():
			return fmt.Sprintf("rolled back, %s is live on %s again", version, v.target())
		}
		return fmt.Sprintf("%s is live on %s", version, v.target())
	case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		return v.way() + version + " " + v.fate()
	case v1alpha1.ReleaseQueued:
	}
	return v.way() + version + " is queued"
}

// progress says what a running release does.
func (v view) progress() string {
	m := v.rel.Status.Milestones
	switch {
	case v.rollback() && Moved(v.rel):
		return fmt.Sprintf("is back on %s, being confirmed", v.target())
	case v.rollback():
		return "is being brought back"
	case v.rel.Status.Step == v1alpha1.StepSoak:
		if s := v.rel.Status.Soak; s != nil && s.Extended > 0 {
			return fmt.Sprintf("is live on %s, watched for longer", v.target())
		}
		return fmt.Sprintf("is live on %s, watched under live traffic", v.target())
	case Moved(v.rel):
		return fmt.Sprintf("is live on %s, being confirmed", v.target())
	case m.SwitchIntendedAt != nil:
		return fmt.Sprintf("gets the traffic on %s now", v.target())
	case m.Built == nil && v.rel.Status.Step == v1alpha1.StepBuild:
		if queuedInCloudBuild(v.rel.Status.Build) {
			return "is queued in Cloud Build"
		}
		return "is being built"
	case v.target() != "":
		return fmt.Sprintf("is on its way to %s", v.target())
	}
	return "is on its way"
}

// queuedInCloudBuild reports whether a build was accepted, and not begun.
func queuedInCloudBuild(b *v1alpha1.BuildStatus) bool {
	return b != nil && b.CreatedAt != nil && b.StartedAt == nil
}

// way stands before the version of a release that failed: of a rollback it is
// not the version that did.
func (v view) way() string {
	if v.rollback() {
		return "the way back to "
	}
	return ""
}

// fate says how a release ended otherwise than as a success.
func (v view) fate() string {
	f := v.rel.Status.Failure
	class := v1alpha1.FailureClass("")
	if f != nil {
		class = f.Class
	}
	switch {
	case class == v1alpha1.FaultCancelled || v.rel.Status.Phase == v1alpha1.ReleaseCancelled:
		return "was cancelled"
	case v.rel.Status.SupersededBy != "":
		return "was overtaken by " + code(v.successor())
	case class == v1alpha1.FaultSuperseded && f.Reason == v1alpha1.FailedRolledBack && Moved(v.rel):
		return fmt.Sprintf("was live on %s, and was left by a rollback", v.target())
	case class == v1alpha1.FaultSuperseded && f.Reason == v1alpha1.FailedRolledBack:
		return "gave way to a rollback"
	case class == v1alpha1.FaultSuperseded || v.rel.Status.Phase == v1alpha1.ReleaseSuperseded:
		return "was not released"
	case f != nil && f.Step != "":
		return fmt.Sprintf("failed at *%s*", plain(string(f.Step)))
	}
	return "failed"
}

// when is the time of what the headline says: of the end, or since when.
func (v view) when() string {
	st := v.rel.Status
	if st.FinishedAt != nil {
		return date(st.FinishedAt.Time)
	}
	since := v.rel.CreationTimestamp.Time
	switch {
	case st.Milestones.SwitchedAt != nil:
		since = st.Milestones.SwitchedAt.Time
	case st.Phase == v1alpha1.ReleaseWaiting && len(st.Timeline) > 0:
		since = st.Timeline[len(st.Timeline)-1].StartedAt.Time
	case st.Milestones.ClaimedAt != nil:
		since = st.Milestones.ClaimedAt.Time
	}
	if since.IsZero() {
		return ""
	}
	return "since " + date(since)
}

// outcome says below the headline what it means for users, or what is waited for.
func (v view) outcome() string {
	text := v.outcomeText()
	if text == "" {
		return ""
	}
	return withCommands("**"+upperFirst(text)+"**", v.waitCommands())
}

func (v view) outcomeText() string {
	if lock := v.lock(); lock != nil {
		return lockText(lock, plain)
	}
	st := v.rel.Status
	switch st.Phase {
	case v1alpha1.ReleaseSuperseded:
		if !Moved(v.rel) {
			return "" // what becomes of it, its successor's comment and the end of this one say
		}
		if v.replaced != nil {
			return v.movedOn()
		}
		if f := st.Failure; f != nil && f.Reason == v1alpha1.FailedRolledBack {
			return "users have it until the rollback takes them back"
		}
		return v.consequence()
	case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseUndoing:
		return v.consequence()
	case v1alpha1.ReleaseWaiting, v1alpha1.ReleaseQueued, "":
		return v.waiting(maxAdvice)
	case v1alpha1.ReleaseSucceeded:
		if back := v.broughtBack(); back != nil {
			return fmt.Sprintf("users were brought back to it from %s at %s",
				code(back.Spec.Rollback.From.Short()), date(back.Status.Milestones.SwitchedAt.Time))
		}
		if v.replaced != nil {
			return v.movedOn()
		}
	case v1alpha1.ReleaseRunning:
		if s := st.Soak; s != nil && s.Extended > 0 && st.Step == v1alpha1.StepSoak {
			return unseen(s)
		}
		if len(st.Commands) > 0 { // a person has to do something
			return v.waiting(maxAdvice)
		}
	}
	return ""
}

// movedOn says which version users have had since.
func (v view) movedOn() string {
	to := v.of(v.replaced)
	how := "moved on"
	if to.rollback() {
		how = "brought back"
	}
	return fmt.Sprintf("users were %s to %s at %s", how, code(to.short()), date(to.rel.Status.Milestones.SwitchedAt.Time))
}

// unseen says why a soak takes longer than it should.
func unseen(s *v1alpha1.SoakStatus) string {
	text := "the pods could not be looked at when the soak was to end, so it was made longer"
	if s.Extended > 1 {
		text += fmt.Sprintf(", %d times", s.Extended)
	}
	if s.UnseenSince != nil {
		text += "; they have not been seen since " + clock(s.UnseenSince.Time) + " UTC"
	}
	return text
}

// consequence says what users have after a release that is no success.
func (v view) consequence() string {
	m := v.rel.Status.Milestones
	back := m.RestoredAt != nil && m.SwitchedAt != nil // else it was found that users had never left
	previous := ""
	if p := v.previous(); p != nil {
		previous = fmt.Sprintf(": %s stays live on %s", code(p.Short()), p.Color)
		if back {
			previous = fmt.Sprintf(": %s is live on %s again", code(p.Short()), p.Color)
		}
	}
	switch {
	case back:
		return "traffic went back" + previous
	case m.KeptAt != nil && m.SwitchedAt != nil:
		return fmt.Sprintf("traffic stays on %s: the version before could not take it", v.target())
	case m.SwitchedAt != nil && v.rel.Status.Phase == v1alpha1.ReleaseUndoing:
		return "traffic goes back as soon as the version before can take it"
	case m.SwitchedAt != nil:
		return fmt.Sprintf("traffic stays on %s", v.target())
	case m.SwitchIntendedAt != nil && m.RestoredAt == nil:
		return "the switch was under way, look at the Ingress"
	case interference(v.rel):
		return "users were not moved by this release"
	case v.rollback():
		return "users were not moved" + previous
	}
	return "users never saw it" + previous
}
