package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// linePrinter writes a line for every event and never rewrites one: for logs and pipes.
type linePrinter struct {
	out  io.Writer
	last *v1alpha1.Release
}

func (p *linePrinter) show(rel *v1alpha1.Release, _ time.Time) {
	for _, c := range changes(p.last, rel) {
		_, _ = fmt.Fprintln(p.out, c.text)
	}
	p.last = rel.DeepCopy()
}

func (p *linePrinter) tick(time.Time)         {}
func (p *linePrinter) aside()                 {}
func (p *linePrinter) done(*v1alpha1.Release) {}

// change is the line of an event.
type change struct {
	// step that it belongs to; empty if it concerns the whole release.
	step v1alpha1.Step
	// ended: the step has ended.
	ended bool
	text  string
}

// changes lists what happened to a release between two observations; before is nil for the
// first.
func changes(before, after *v1alpha1.Release) []change {
	var all []change
	say := func(lines ...string) {
		for _, line := range lines {
			all = append(all, change{text: line})
		}
	}
	if before == nil {
		before = &v1alpha1.Release{}
		say(title(after))
	}
	for i, entry := range after.Status.Timeline {
		var known v1alpha1.TimelineEntry
		if i < len(before.Status.Timeline) {
			known = before.Status.Timeline[i]
		}
		if line := entryChange(known, entry, stepSays(before, known), stepSays(after, entry)); line != "" {
			all = append(all, change{step: entry.Step, ended: entry.FinishedAt != nil, text: line})
		}
	}
	for _, finding := range after.Status.Findings {
		if !slices.ContainsFunc(before.Status.Findings, func(f v1alpha1.Advice) bool { return f.Text == finding.Text }) {
			say(noteLines(finding)...)
		}
	}
	line := phaseChange(before, after)
	if line != "" {
		say(line)
	}
	if c := after.Status.Commands; line != "" || !slices.Equal(c, before.Status.Commands) {
		say(commandLines(c)...)
	}
	if after.Status.Phase.Finished() && !before.Status.Phase.Finished() {
		say(evidence(after.Status.Failure)...)
	}
	return all
}

// title describes a release.
func title(rel *v1alpha1.Release) string {
	what := "deploys " + versionOf(rel)
	if back := rel.Spec.Rollback; back != nil {
		what = fmt.Sprintf("goes back from %s to %s", back.From.Short(), back.To.Short())
	}
	if rel.Spec.Contract != nil {
		what = "contracts the schema for " + versionOf(rel)
	}
	return oneLine(fmt.Sprintf("%s: %s %s", rel.Name, rel.Spec.Application, what))
}

// versionOf names a release's version.
func versionOf(rel *v1alpha1.Release) string {
	switch {
	case rel.Spec.Deploy != nil:
		return v1alpha1.ShortCommit(rel.Spec.Deploy.Commit)
	case rel.Spec.Rollback != nil:
		return rel.Spec.Rollback.To.Short()
	case rel.Spec.Contract != nil:
		return v1alpha1.ShortCommit(rel.Spec.Contract.Commit)
	}
	return rel.Status.Version
}

// entryChange is the line of a step that began to wait, or ended; said is its former text,
// text the present one.
func entryChange(known, entry v1alpha1.TimelineEntry, said, text string) string {
	switch {
	case entry.FinishedAt != nil && known.FinishedAt == nil:
		return stepLine(entry.Step, prose.Span(entry.FinishedAt.Sub(entry.StartedAt.Time)), text)
	case entry.FinishedAt == nil && text != said && text != "":
		if entry.URL != "" && entry.URL != known.URL {
			text += "  " + oneLine(entry.URL)
		}
		return stepLine(entry.Step, "…", text)
	}
	return ""
}

func stepLine(step v1alpha1.Step, took, text string) string {
	return strings.TrimRight(fmt.Sprintf("  %-8s %10s  %s", step, took, text), " ")
}

// phaseChange is the line of a new phase. While a release moves, its steps have the lines.
func phaseChange(before, after *v1alpha1.Release) string {
	now := after.Status
	same := before.Status.Phase == now.Phase && (now.Phase != v1alpha1.ReleaseQueued || stands(before) == stands(after))
	if same || now.Phase == "" || now.Phase == v1alpha1.ReleaseRunning {
		return ""
	}
	line := fmt.Sprintf("%s: %s", after.Name, now.Phase)
	if said := stands(after); said != "" {
		line += " — " + said
	}
	return line
}

// noteLines show a finding, with each of its commands on its own line.
func noteLines(finding v1alpha1.Advice) []string {
	return append([]string{"  note: " + oneLine(finding.Text)}, commandLines(finding.Commands)...)
}

// evidence shows why a release failed.
func evidence(f *v1alpha1.Failure) []string {
	if f == nil {
		return nil
	}
	var lines []string
	lines = append(lines, commandLines(f.Commands)...)
	if f.File != "" {
		lines = append(lines, "  at "+fileLine(f))
	}
	for _, e := range f.Evidence {
		var parts []string
		for _, part := range []string{e.Pod, e.Container, e.Reason, e.Request, e.Message, e.Body} {
			if part != "" {
				parts = append(parts, oneLine(part))
			}
		}
		if len(parts) > 0 {
			lines = append(lines, "  "+strings.Join(parts, ": "))
		}
		for line := range strings.Lines(e.Log) {
			if line = oneLine(line); line != "" {
				lines = append(lines, "    | "+line)
			}
		}
	}
	return lines
}

func fileLine(f *v1alpha1.Failure) string {
	if f.Line > 0 {
		return fmt.Sprintf("%s:%d", oneLine(f.File), f.Line)
	}
	return oneLine(f.File)
}
