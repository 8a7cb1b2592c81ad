package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// timeline shows the steps of a release.
type timeline struct{ v view }

// table is the table of steps. It has only three columns, since people read it on phones
// too.
func (s timeline) table(room int) string {
	steps := s.v.rel.Status.Timeline
	if len(steps) == 0 {
		return ""
	}
	var rows []string
	for i, entry := range steps {
		took := "since " + clock(entry.StartedAt.Time)
		if entry.FinishedAt != nil {
			took = prose.Span(entry.FinishedAt.Sub(entry.StartedAt.Time))
		}
		rows = append(rows, fmt.Sprintf("| %s %s | %s | %s |", s.stepMark(i), plain(string(entry.Step)), took, s.did(entry)))
	}
	const head = "| Step | Took | |\n|---|---|---|\n"
	rows, more := whole(rows, room-2*len(head), len("\n"))
	if more > 0 {
		rows = append(rows, "| "+andMore(more, "")+" | | |")
	}
	return head + strings.Join(rows, "\n")
}

// stepMark shows how a step ended.
func (s timeline) stepMark(i int) string {
	steps := s.v.rel.Status.Timeline
	entry := steps[i]
	if f := s.v.rel.Status.Failure; f != nil && f.Step == entry.Step && lastOf(steps, i) {
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
	case entry.FinishedAt != nil && (entry.Step == v1alpha1.StepRestore || entry.Step == v1alpha1.StepWithdraw ||
		entry.Step == v1alpha1.StepDiscard || entry.Step == v1alpha1.StepRecall && s.v.rel.Status.Failure != nil):
		return "↩️"
	case entry.FinishedAt != nil:
		return "✅"
	case s.v.rel.Status.Phase == v1alpha1.ReleaseWaiting && (entry.Step == v1alpha1.StepPromote || entry.Step == v1alpha1.StepShift):
		return "✋"
	}
	return "⏳"
}

// lastOf reports whether a step did not run again later.
func lastOf(steps []v1alpha1.TimelineEntry, i int) bool {
	for _, later := range steps[i+1:] {
		if later.Step == steps[i].Step {
			return false
		}
	}
	return true
}

// did says what a step did, or what it waits for.
func (s timeline) did(entry v1alpha1.TimelineEntry) string {
	var parts []string
	if said := s.saidOf(entry); said != "" {
		parts = append(parts, said)
	}
	more, address := "more", entry.URL
	if entry.Step == v1alpha1.StepBuild {
		parts = append(parts, s.build()...)
		more = "log"
		if b := s.v.rel.Status.Build; b != nil && address == "" {
			address = b.LogURL
		}
	}
	if linked := link(more, address); linked != more {
		parts = append(parts, linked)
	}
	return strings.Join(parts, " · ")
}

// saidOf is the record's message about a step. It leaves out what the comment shows
// elsewhere: the failure, what a person has to do, the proof.
func (s timeline) saidOf(entry v1alpha1.TimelineEntry) string {
	st := s.v.rel.Status
	underWay := entry.FinishedAt == nil && entry.Step == st.Step
	switch {
	case entry.Failed && st.Failure != nil:
		return ""
	case underWay && (st.Phase == v1alpha1.ReleaseWaiting || len(s.v.waitCommands()) > 0):
		return ""
	case underWay && st.Waiting != nil:
		return shortDigests(s.v.waiting(maxMessage))
	case entry.Proof != "":
		return plain(string(entry.Proof))
	}
	return plain(shortDigests(prose.Characters(entry.Message, maxMessage)))
}

// shownQueue is the shortest wait in Cloud Build's queue that the timeline shows.
const shownQueue = 10 * time.Second

// build shows Cloud Build's queue and lost builds.
func (s timeline) build() []string {
	b := s.v.rel.Status.Build
	if b == nil {
		return nil
	}
	var parts []string
	if b.CreatedAt != nil && b.StartedAt != nil {
		if queued := b.StartedAt.Sub(b.CreatedAt.Time); queued >= shownQueue && s.v.rel.Status.Milestones.Built == nil { // then the step shows it
			parts = append(parts, "queued "+prose.Span(queued))
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
