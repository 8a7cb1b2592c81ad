package report

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// headline shows where a release stands.
type headline struct{ v view }

// line shows in one line which version, which colour, what happened, who asked and when.
func (h headline) line() string {
	title := fmt.Sprintf("%s %s: %s", h.mark(), plain(h.v.app.Name), h.state())
	if n := h.attempt(); n > 1 {
		title += fmt.Sprintf(", attempt %d", n)
	}
	var who []string
	for _, part := range []string{plain(h.v.rel.AskedBy()), h.when()} {
		if part != "" {
			who = append(who, part)
		}
	}
	if len(who) == 0 {
		return title
	}
	return title + " · " + strings.Join(who, ", ")
}

// mark shows the state as an icon.
func (h headline) mark() string {
	switch h.v.rel.Status.Phase {
	case v1alpha1.ReleaseRunning:
		return "🚆"
	case v1alpha1.ReleaseWaiting:
		if h.v.lock() == nil {
			return "✋"
		}
	case v1alpha1.ReleaseUndoing:
		return "↩️"
	case v1alpha1.ReleaseSucceeded:
		switch {
		case h.v.replaced != nil && h.v.broughtBack() == nil:
			return "☑️"
		case h.v.rollback():
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
	if h.v.lock() != nil {
		return "🔒"
	}
	return "⏳"
}

// state says what a release does, or how it ended.
func (h headline) state() string {
	version := code(h.v.short())
	if h.v.lock() != nil {
		return version + " waits behind a lock"
	}
	switch h.v.rel.Status.Phase {
	case v1alpha1.ReleaseRunning:
		return version + " " + h.progress()
	case v1alpha1.ReleaseWaiting:
		if h.v.rel.Divides() {
			return fmt.Sprintf("%s %s, and waits for `%s`", version, h.progress(), h.v.typed(command.Promote))
		}
		return fmt.Sprintf("%s waits on %s for `%s`", version, h.v.target(), h.v.typed(command.Promote))
	case v1alpha1.ReleaseUndoing:
		return h.way() + version + " " + h.fate() + " and is being undone"
	case v1alpha1.ReleaseSucceeded:
		switch {
		case h.v.broughtBack() != nil:
			return fmt.Sprintf("%s is live on %s again", version, h.v.target())
		case h.v.replaced != nil:
			return fmt.Sprintf("%s was live on %s", version, h.v.target())
		case h.v.rollback():
			return fmt.Sprintf("rolled back, %s is live on %s again", version, h.v.target())
		}
		return fmt.Sprintf("%s is live on %s", version, h.v.target())
	case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		return h.way() + version + " " + h.fate()
	case v1alpha1.ReleaseQueued:
	}
	return h.way() + version + " is queued"
}

// progress says what a running release does.
func (h headline) progress() string {
	m := h.v.rel.Status.Milestones
	switch {
	case h.v.rollback() && Moved(h.v.rel):
		return fmt.Sprintf("is back on %s, being confirmed", h.v.target())
	case h.v.rollback():
		return "is being brought back"
	case h.v.rel.Status.Step == v1alpha1.StepSoak:
		if s := h.v.rel.Status.Soak; s != nil && s.Extended > 0 {
			return fmt.Sprintf("is live on %s, watched for longer", h.v.target())
		}
		return fmt.Sprintf("is live on %s, watched under live traffic", h.v.target())
	case Moved(h.v.rel):
		return fmt.Sprintf("is live on %s, being confirmed", h.v.target())
	case m.SwitchIntendedAt == nil && h.v.rel.Divides():
		return fmt.Sprintf("gets %d %% of the traffic on %s", h.v.rel.LastWeight().Weight, h.v.target())
	case m.SwitchIntendedAt != nil:
		return fmt.Sprintf("is getting the traffic on %s", h.v.target())
	case m.Built == nil && h.v.rel.Status.Step == v1alpha1.StepBuild:
		if queuedInCloudBuild(h.v.rel.Status.Build) {
			return "is queued in Cloud Build"
		}
		return "is being built"
	case h.v.target() != "":
		return fmt.Sprintf("is on its way to %s", h.v.target())
	}
	return "is on its way"
}

// queuedInCloudBuild reports whether Cloud Build accepted a build but has not started it.
func queuedInCloudBuild(b *v1alpha1.BuildStatus) bool {
	return b != nil && b.CreatedAt != nil && b.StartedAt == nil
}

// way stands before the version of a release that failed. For a rollback it is "the way
// back to", since that version did not fail itself.
func (h headline) way() string {
	if h.v.rollback() {
		return "the way back to "
	}
	return ""
}

// fate says how a release ended if it did not succeed.
func (h headline) fate() string {
	f := h.v.rel.Status.Failure
	class := v1alpha1.FailureClass("")
	if f != nil {
		class = f.Class
	}
	switch {
	case class == v1alpha1.FaultCancelled || h.v.rel.Status.Phase == v1alpha1.ReleaseCancelled:
		return "was cancelled"
	case h.v.rel.Status.SupersededBy != "":
		return "was overtaken by " + code(h.v.successor())
	case class == v1alpha1.FaultSuperseded && f.Reason == v1alpha1.FailedRolledBack && Moved(h.v.rel):
		return fmt.Sprintf("was live on %s, and was left by a rollback", h.v.target())
	case class == v1alpha1.FaultSuperseded && f.Reason == v1alpha1.FailedRolledBack:
		return "gave way to a rollback"
	case class == v1alpha1.FaultSuperseded || h.v.rel.Status.Phase == v1alpha1.ReleaseSuperseded:
		return "was not released"
	case f != nil && f.Step != "":
		return fmt.Sprintf("failed at *%s*", plain(string(f.Step)))
	}
	return "failed"
}

// when is the time of the state: when it ended, or since when it lasts.
func (h headline) when() string {
	st := h.v.rel.Status
	if st.FinishedAt != nil {
		return date(st.FinishedAt.Time)
	}
	since := h.v.rel.CreationTimestamp.Time
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

// stage is where a release stands, only as fine as readers need.
func (h headline) stage() string {
	st := h.v.rel.Status
	switch {
	case st.Phase != v1alpha1.ReleaseRunning:
		return h.state()
	case Moved(h.v.rel):
		return "live " + string(st.Step)
	case h.v.rollback() || st.Milestones.Built != nil:
		return "starting"
	}
	return "building"
}
