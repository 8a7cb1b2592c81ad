package bot

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// facts names colours, versions, the environment, and who did what: a short line
// each, since GitHub keeps the line breaks of a comment.
func (v view) facts() string {
	version := v.versionLink(v.commit(), v.short())
	if p := v.previous(); p != nil && v.target() != "" {
		version = fmt.Sprintf("%s (%s) → %s (%s)", v.versionLink(p.Commit, p.Short()), p.Color, version, v.target())
	}
	lines := []string{version + " · " + v.environmentLink(), v.claims() + "asked by " + v.who(v.rel.Spec.Cause)}
	if a := v.rel.Spec.Approval; a != nil {
		lines = append(lines, v.claims()+"approved by "+v.person(a.By, a.Cause))
	}
	if c := v.rel.Spec.Cancel; c != nil {
		lines = append(lines, v.claims()+"cancelled by "+v.person(c.By, c.Cause))
	}
	if st := v.rel.Status.GitHub; st != nil && st.PullRequestsCut {
		lines = append(lines, fmt.Sprintf("⚠️ Its push merged more pull requests than are looked for: %d of them hear of it here, the others "+
			"do not", len(st.PullRequests)))
	}
	return strings.Join(lines, "\n")
}

// claims marks what anybody who may write releases could have written.
func (v view) claims() string {
	if v.rel.Claimed() {
		return "claims: "
	}
	return ""
}

func (v view) environmentLink() string {
	name := plain(v.environment())
	if v.app.Spec.URL == "" {
		return name
	}
	return link(name, v.app.Spec.URL)
}

func (v view) who(c v1alpha1.Cause) string {
	if c.Kind == v1alpha1.CausePush {
		return v.person(c.Actor, v1alpha1.Cause{Claims: c.Claims}) + ", by a push"
	}
	return v.person(c.Actor, c)
}

// person names somebody, with a link to what they said if they said it on GitHub.
func (v view) person(login string, c v1alpha1.Cause) string {
	name := plain(login)
	if name == "" {
		name = "somebody"
	}
	if c.Kind == v1alpha1.CauseComment && c.URL != "" {
		return name + ", in " + link("a comment", c.URL)
	}
	if c.Claims != "" {
		return name + " (claims: " + plain(c.Claims) + ")"
	}
	return name
}

// versionLink shows a version, linked to its commit if it has one.
func (v view) versionLink(commit, short string) string {
	if commit == "" {
		return code(short)
	}
	return link(code(short), v.repositoryURL("commit", commit))
}

// repositoryURL is the address of a page of the repository.
func (v view) repositoryURL(path ...string) string {
	return strings.Join(append([]string{v.web, v.app.Spec.Repository}, path...), "/")
}

// link makes a link; an address that would break out of it, or that is none, is
// left out.
func link(text, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsAny(url, " \t\r\n()<>\"'`\\|[]") {
		return text
	}
	return fmt.Sprintf("[%s](%s)", text, url)
}

// timeline is the table of steps: three columns, since it is read on telephones
// too.
func (v view) timeline(room int) string {
	steps := v.rel.Status.Timeline
	if len(steps) == 0 {
		return ""
	}
	var rows []string
	for i, entry := range steps {
		took := "since " + clock(entry.StartedAt.Time)
		if entry.FinishedAt != nil {
			took = span(entry.FinishedAt.Sub(entry.StartedAt.Time))
		}
		rows = append(rows, fmt.Sprintf("| %s %s | %s | %s |", v.stepMark(i), plain(string(entry.Step)), took, v.did(entry)))
	}
	const head = "| Step | Took | |\n|---|---|---|\n"
	rows, more := whole(rows, room-2*len(head), len("\n"))
	if more > 0 {
		rows = append(rows, "| "+andMore(more, "")+" | | |")
	}
	return head + strings.Join(rows, "\n")
}

// stepMark shows how a step of the timeline ended.
func (v view) stepMark(i int) string {
	steps := v.rel.Status.Timeline
	entry := steps[i]
	if f := v.rel.Status.Failure; f != nil && f.Step == entry.Step && lastOf(steps, i) {
		switch f.Class {
		case v1alpha1.FaultCancelled:
			return "🚫"
		case v1alpha1.FaultSuperseded:
			return "⏭️"
		case v1alpha1.FaultRelease, v1alpha1.FaultWorld, v1alpha1.FaultInterference:
		}
		return "❌"
	}
	switch {
	case entry.FinishedAt != nil && (entry.Step == v1alpha1.StepRestore || entry.Step == v1alpha1.StepDiscard):
		return "↩️"
	case entry.FinishedAt != nil:
		return "✅"
	case entry.Step == v1alpha1.StepPromote && v.rel.Status.Phase == v1alpha1.ReleaseWaiting:
		return "✋"
	}
	return "⏳"
}

// lastOf reports whether a step was not taken again later.
func lastOf(steps []v1alpha1.TimelineEntry, i int) bool {
	for _, later := range steps[i+1:] {
		if later.Step == steps[i].Step {
			return false
		}
	}
	return true
}

// did says what a step did, or what it waits for.
func (v view) did(entry v1alpha1.TimelineEntry) string {
	var parts []string
	if said := v.saidOf(entry); said != "" {
		parts = append(parts, said)
	}
	more, address := "more", entry.URL
	if entry.Step == v1alpha1.StepBuild {
		parts = append(parts, v.build()...)
		more = "log"
		if b := v.rel.Status.Build; b != nil && address == "" {
			address = b.LogURL
		}
	}
	if linked := link(more, address); linked != more {
		parts = append(parts, linked)
	}
	return strings.Join(parts, " · ")
}

// saidOf is what the record says of a step, but for what stands in a line of its own:
// why the release failed, what it waits for a person to do, what the proof has shown.
func (v view) saidOf(entry v1alpha1.TimelineEntry) string {
	st := v.rel.Status
	underWay := entry.FinishedAt == nil && entry.Step == st.Step
	switch {
	case entry.Failed && st.Failure != nil:
		return ""
	case underWay && (st.Phase == v1alpha1.ReleaseWaiting || len(v.waitCommands()) > 0):
		return ""
	case underWay && st.Waiting != nil:
		return shortDigests(v.waiting(maxMessage))
	case entry.Proof != "":
		return plain(string(entry.Proof))
	}
	return plain(shortDigests(truncate(entry.Message, maxMessage)))
}

// shownQueue is from when on a wait in Cloud Build's queue is worth a word.
const shownQueue = 10 * time.Second

// build says what Cloud Build did besides building.
func (v view) build() []string {
	b := v.rel.Status.Build
	if b == nil {
		return nil
	}
	var parts []string
	if b.CreatedAt != nil && b.StartedAt != nil {
		if queued := b.StartedAt.Sub(b.CreatedAt.Time); queued >= shownQueue && v.rel.Status.Milestones.Built == nil { // then the step says it
			parts = append(parts, "queued "+span(queued))
		}
	}
	switch {
	case b.Retries == 1:
		parts = append(parts, "built again: Cloud Build lost the first build")
	case b.Retries > 1:
		parts = append(parts, fmt.Sprintf("built again: Cloud Build lost %d builds", b.Retries))
	}
	return parts
}

// longDigest is a digest of which a person needs the beginning at most.
var longDigest = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

func shortDigests(s string) string {
	return longDigest.ReplaceAllString(s, "$1…")
}

// findings are what a person should know, with the commands for it.
func (v view) findings(room int) string {
	all := v.rel.Status.Findings
	var items []string
	for _, finding := range all[:min(maxFindings, len(all))] {
		items = append(items, item(withCommands("⚠️ "+plain(truncate(finding.Text, maxAdvice)), finding.Commands)))
	}
	items, _ = whole(items, room-maxMessage, len("\n"))
	if more := len(all) - len(items); more > 0 {
		items = append(items, item(andMore(more, "")))
	}
	return strings.Join(items, "\n")
}
