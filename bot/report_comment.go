package bot

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Caps that keep a comment well below GitHub's 65,536 characters.
const (
	maxEvidence = 4    // pieces shown
	maxLog      = 4000 // bytes of one log's end
	maxBodyShow = 1000 // characters of one answer's beginning
	maxMessage  = 300  // characters of one message
	maxFindings = 10
)

// headline says in one line what became of the release.
func (v view) headline() string {
	name, version := plain(v.app.Name), code(v.short())
	switch v.rel.Status.Phase {
	case v1alpha1.ReleaseRunning:
		return fmt.Sprintf("🚆 %s: %s %s", name, version, v.progress())
	case v1alpha1.ReleaseWaiting:
		return fmt.Sprintf("✋ %s: %s waits on %s for `/promote`", name, version, v.target())
	case v1alpha1.ReleaseUndoing:
		return fmt.Sprintf("↩️ %s: %s %s; it is being undone", name, version, v.fate())
	case v1alpha1.ReleaseSucceeded:
		if v.rel.Spec.Kind == v1alpha1.Rollback {
			return fmt.Sprintf("↩️ %s: rolled back, %s is live on %s again", name, version, v.target())
		}
		return fmt.Sprintf("✅ %s: %s is live on %s", name, version, v.target())
	case v1alpha1.ReleaseFailed:
		return fmt.Sprintf("❌ %s: %s%s %s; %s", name, v.way(), version, v.fate(), v.consequence())
	case v1alpha1.ReleaseError:
		return fmt.Sprintf("⚠️ %s: %s%s %s; %s", name, v.way(), version, v.fate(), v.consequence())
	case v1alpha1.ReleaseCancelled:
		return fmt.Sprintf("🚫 %s: %s was cancelled; %s", name, version, v.consequence())
	case v1alpha1.ReleaseSuperseded:
		return fmt.Sprintf("⏭️ %s: %s was overtaken by a newer release", name, version)
	case v1alpha1.ReleaseQueued:
	}
	return fmt.Sprintf("⏳ %s: %s is queued", name, version)
}

// progress says what a running release does.
func (v view) progress() string {
	switch {
	case v.rel.Spec.Kind == v1alpha1.Rollback && v.moved():
		return fmt.Sprintf("is back on %s, being confirmed", v.target())
	case v.rel.Spec.Kind == v1alpha1.Rollback:
		return "is being brought back"
	case v.rel.Status.Step == v1alpha1.StepSoak:
		return fmt.Sprintf("is live on %s, watched under live traffic", v.target())
	case v.moved():
		return fmt.Sprintf("is live on %s, being confirmed", v.target())
	case v.target() != "":
		return fmt.Sprintf("is on its way to %s", v.target())
	}
	return "is on its way"
}

// way stands before the version of a release that failed: of a rollback it is
// not the version that did.
func (v view) way() string {
	if v.rel.Spec.Kind == v1alpha1.Rollback {
		return "the way back to "
	}
	return ""
}

// fate says at which step a release failed.
func (v view) fate() string {
	if f := v.rel.Status.Failure; f != nil && f.Step != "" {
		return fmt.Sprintf("failed at *%s*", f.Step)
	}
	return "failed"
}

// consequence says what users have after a failure.
func (v view) consequence() string {
	m := v.rel.Status.Milestones
	previous := ""
	if p := v.previous(); p != nil {
		previous = fmt.Sprintf(": %s stays live on %s", code(p.Short()), p.Color)
		if m.RestoredAt != nil {
			previous = fmt.Sprintf(": %s is live on %s again", code(p.Short()), p.Color)
		}
	}
	switch {
	case m.RestoredAt != nil:
		return "traffic went back" + previous
	case m.SwitchedAt != nil:
		return fmt.Sprintf("traffic stays on %s", v.target())
	case m.SwitchIntendedAt != nil:
		return "the switch was under way, look at the Ingress"
	}
	if v.rel.Spec.Kind == v1alpha1.Rollback {
		return "users were not moved" + previous
	}
	return "users never saw it" + previous
}

// comment is the body below the headline.
func (v view) comment() string {
	parts := []string{v.facts(), v.failure(), v.timeline(), v.proof(), v.findings(), v.nextMove()}
	kept := parts[:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "\n\n")
}

// facts names colours, versions and who asked.
func (v view) facts() string {
	var lines []string
	if p := v.previous(); p != nil && v.target() != "" {
		lines = append(lines, fmt.Sprintf("%s (%s) → %s (%s)", v.versionLink(p.Commit, p.Short()), p.Color, v.versionLink(v.commit(), v.short()), v.target()))
	} else {
		lines = append(lines, v.versionLink(v.commit(), v.short()))
	}
	lines = append(lines, "to "+v.environment(), "asked by "+v.who(v.rel.Spec.Cause))
	if a := v.rel.Spec.Approval; a != nil {
		lines = append(lines, "approved by "+plain(a.By))
	}
	if c := v.rel.Spec.Cancel; c != nil {
		lines = append(lines, "cancelled by "+plain(c.By))
	}
	if b := v.rel.Status.Build; b != nil && b.LogURL != "" {
		lines = append(lines, link("build log", b.LogURL))
	}
	return strings.Join(lines, " · ")
}

func (v view) environment() string {
	if v.app.Spec.URL == "" {
		return plain(v.app.Spec.Environment)
	}
	return link(plain(v.app.Spec.Environment), v.app.Spec.URL)
}

func (v view) who(c v1alpha1.Cause) string {
	name := plain(c.Actor)
	if name == "" {
		name = "somebody"
	}
	switch {
	case c.Kind == v1alpha1.CauseComment && c.URL != "":
		return name + ", in " + link("a comment", c.URL)
	case c.Kind == v1alpha1.CausePush:
		return name + ", by a push"
	}
	return name
}

// versionLink shows a version, linked to its commit if it has one.
func (v view) versionLink(commit, short string) string {
	if commit == "" {
		return code(short)
	}
	return link(code(short), fmt.Sprintf("%s/%s/commit/%s", v.web, v.app.Spec.Repository, commit))
}

// link makes a link; an address that would break out of it, or that is none, is
// left out.
func link(text, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsAny(url, " \t\r\n()<>\"'`\\|[]") {
		return text
	}
	return fmt.Sprintf("[%s](%s)", text, url)
}

// timeline is the table of steps.
func (v view) timeline() string {
	if len(v.rel.Status.Timeline) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| | Step | Took | |\n|---|---|---|---|\n")
	for _, entry := range v.rel.Status.Timeline {
		mark, took := "⏳", "since "+clock(entry.StartedAt.Time)
		if entry.FinishedAt != nil {
			mark, took = "✅", span(entry.FinishedAt.Sub(entry.StartedAt.Time))
		}
		if f := v.rel.Status.Failure; f != nil && f.Step == entry.Step {
			mark = "❌"
		}
		message := plain(truncate(entry.Message, maxMessage))
		if entry.URL != "" {
			message = strings.TrimSpace(message + " " + link("more", entry.URL))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", mark, plain(string(entry.Step)), took, message)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// failure says why, with the evidence folded.
func (v view) failure() string {
	f := v.rel.Status.Failure
	if f == nil {
		return ""
	}
	parts := []string{fmt.Sprintf("**%s**: %s", plain(f.Reason), plain(truncate(f.Message, 4*maxMessage)))}
	for _, e := range f.Evidence[:min(maxEvidence, len(f.Evidence))] {
		parts = append(parts, evidence(e))
	}
	if more := len(f.Evidence) - maxEvidence; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more like it", more))
	}
	return strings.Join(parts, "\n\n")
}

// evidence shows one thing that was seen, folded.
func evidence(e v1alpha1.Evidence) string {
	var title []string
	for _, part := range []struct{ label, value string }{
		{"pod ", e.Pod}, {"container ", e.Container}, {"", e.Reason}, {"", e.Request},
	} {
		if part.value != "" {
			title = append(title, part.label+plain(truncate(part.value, maxMessage)))
		}
	}
	if e.ExitCode != nil {
		title = append(title, fmt.Sprintf("exit code %d", *e.ExitCode))
	}
	if len(title) == 0 {
		title = append(title, "evidence")
	}
	parts := []string{"<details><summary>" + strings.Join(title, " · ") + "</summary>"}
	if e.Message != "" {
		parts = append(parts, plain(truncate(e.Message, 2*maxMessage)))
	}
	if e.Body != "" {
		parts = append(parts, "It answered:", fence(truncate(e.Body, maxBodyShow)))
	}
	if e.Log != "" {
		parts = append(parts, "Its last lines:", fence(tail(e.Log, maxLog)))
	}
	return strings.Join(append(parts, "</details>"), "\n\n")
}

func (v view) proof() string {
	p := v.rel.Status.Proof
	if p == nil || p.Message == "" {
		return ""
	}
	return "Seen from outside: " + plain(truncate(p.Message, maxMessage))
}

func (v view) findings() string {
	var lines []string
	for _, finding := range v.rel.Status.Findings[:min(maxFindings, len(v.rel.Status.Findings))] {
		lines = append(lines, "- ⚠️ "+plain(truncate(finding, maxMessage)))
	}
	return strings.Join(lines, "\n")
}

// nextMove says what to type now.
func (v view) nextMove() string {
	if v.rel.Spec.Kind == v1alpha1.Rollback {
		return v.nextAfterRollback()
	}
	switch v.rel.Status.Phase {
	case v1alpha1.ReleaseSucceeded:
		return v.readiness()
	case v1alpha1.ReleaseFailed:
		if v.moved() { // the version before could not take the traffic then
			return v.readiness()
		}
		return "Next: mend it and merge the fix; " + v.liveNow()
	case v1alpha1.ReleaseError:
		if v.moved() {
			return v.readiness()
		}
		return "Next: mend what it names, then `/promote` tries again; " + v.liveNow()
	case v1alpha1.ReleaseCancelled:
		return "Next: `/promote` starts it again; " + v.liveNow()
	case v1alpha1.ReleaseSuperseded, v1alpha1.ReleaseUndoing:
		return "Nothing to do; " + v.liveNow()
	case v1alpha1.ReleaseWaiting:
		return "Next: `/promote` moves users to it · `/rollback` discards it"
	case v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning:
	}
	return v.nextUnderWay()
}

func (v view) nextUnderWay() string {
	m := v.rel.Status.Milestones
	switch {
	case v.moved():
		return v.readiness()
	case m.SwitchIntendedAt != nil:
		return "Next: `/rollback` goes back as soon as the switch is confirmed"
	case v.app.Spec.Promotion.Mode == v1alpha1.PromotionManual && v.rel.Spec.Approval == nil:
		return "Next: `/promote` approves it already, it then switches when the gate passes · `/rollback` stops it"
	}
	return "Nothing to do; `/rollback` stops it, users have not seen it yet"
}

// readiness says what a rollback would do.
func (v view) readiness() string {
	m := v.rel.Status.Milestones
	if m.Previous == nil || m.SwitchedAt == nil {
		return ""
	}
	until := m.SwitchedAt.Add(max(v.app.Spec.HoldTime(), v.app.Spec.DrainTime()))
	return fmt.Sprintf("Next: `/rollback` returns to %s on %s: at once until %s UTC, after that its pods are started first",
		code(m.Previous.Short()), m.Previous.Color, clock(until))
}

func (v view) nextAfterRollback() string {
	left := code(v.rel.Spec.Rollback.From.Short())
	switch v.rel.Status.Phase {
	case v1alpha1.ReleaseSucceeded:
		return fmt.Sprintf("Next: merge a fix; whatever contains %s waits for `/promote` from now on", left)
	case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		if v.moved() {
			return fmt.Sprintf("Next: look at the reason above; `/status` says what is live. %s was left", left)
		}
		return fmt.Sprintf("Next: mend what it names, then `/rollback` tries again; %s was to be left, `/status` says what is live", left)
	case v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseUndoing:
	}
	return "Nothing to do; " + left + " is being left"
}

func (v view) liveNow() string {
	if p := v.previous(); p != nil && !v.moved() {
		return fmt.Sprintf("%s on %s serves users", code(p.Short()), p.Color)
	}
	return "`/status` says what is live"
}
