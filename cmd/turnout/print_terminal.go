package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// terminalPrinter redraws the timeline in place. It moves the cursor, so it writes beyond
// the [border], and makes lines fit as the border does.
type terminalPrinter struct {
	out   io.Writer
	width func() int
	rel   *v1alpha1.Release
	drawn int // lines on the screen that it wrote
}

func (p *terminalPrinter) show(rel *v1alpha1.Release, now time.Time) {
	p.rel = rel.DeepCopy()
	p.draw(timeline(p.rel, now))
}

func (p *terminalPrinter) tick(now time.Time) {
	if p.rel != nil {
		p.draw(timeline(p.rel, now))
	}
}

// aside keeps what is on the screen and draws below it from now on: redrawing in place
// would erase what was written in between.
func (p *terminalPrinter) aside() { p.drawn = 0 }

// done shows in full what does not fit into a line of the timeline.
func (p *terminalPrinter) done(rel *v1alpha1.Release) {
	var lines []string
	if state := stateLine(rel); cut(state, p.width()) != state {
		lines = append(lines, "  "+stands(rel))
	}
	lines = append(lines, commandLines(rel.Status.Commands)...)
	for _, finding := range rel.Status.Findings {
		lines = append(lines, noteLines(finding)...)
	}
	for _, line := range append(lines, evidence(rel.Status.Failure)...) {
		_, _ = fmt.Fprintln(p.out, shownLine(line))
	}
}

// draw replaces the last lines. It cuts lines to the terminal's width: a wider one would
// take two lines, and the next draw would start in the wrong place.
func (p *terminalPrinter) draw(lines []string) {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", p.drawn) // up
	}
	b.WriteString("\x1b[J") // clear to the end
	width := p.width()
	for _, line := range lines {
		b.WriteString(cut(shownLine(line), width) + "\n")
	}
	p.drawn = len(lines)
	_, _ = io.WriteString(p.out, b.String())
}

// timeline shows a release as it is.
func timeline(rel *v1alpha1.Release, now time.Time) []string {
	s := rel.Status
	lines := []string{title(rel)}
	for _, entry := range s.Timeline {
		mark, end := "●", now
		if entry.FinishedAt != nil {
			mark, end = "✓", entry.FinishedAt.Time
		}
		if f := s.Failure; f != nil && f.Step == entry.Step && entry.FinishedAt != nil {
			mark = "✗"
		}
		lines = append(lines, mark+stepLine(entry.Step, prose.Span(end.Sub(entry.StartedAt.Time)), stepSays(rel, entry))[1:])
	}
	if ahead := toCome(rel); len(ahead) > 0 {
		lines = append(lines, "· "+strings.Join(ahead, "  "))
	}
	return append(lines, stateLine(rel))
}

// stateLine says where the whole release stands.
func stateLine(rel *v1alpha1.Release) string {
	if said := stands(rel); said != "" {
		return phaseOf(rel) + " — " + said
	}
	return phaseOf(rel)
}

// toCome are the steps that a release has not begun, if it still moves forward.
func toCome(rel *v1alpha1.Release) []string {
	if rel.Status.Phase.Finished() || rel.Status.Phase == v1alpha1.ReleaseUndoing {
		return nil
	}
	steps, m := track.Steps(rel.Spec.Kind), rel.Status.Milestones
	for _, optional := range []struct {
		left  bool // out, since the application does without it, or has not come to it
		steps []v1alpha1.Step
	}{
		{rel.Status.Migration == nil, []v1alpha1.Step{v1alpha1.StepExpand}},
		{rel.Status.Migration != nil, []v1alpha1.Step{v1alpha1.StepPromote}}, // it was approved before
		{rel.Status.Shift == nil, []v1alpha1.Step{v1alpha1.StepShift}},
		{m.WorkersIntendedAt == nil, []v1alpha1.Step{v1alpha1.StepWorkers, v1alpha1.StepRecall, v1alpha1.StepRelieve}},
		{m.SingletonsIntendedAt == nil, []v1alpha1.Step{v1alpha1.StepSingletons}},
	} {
		if optional.left {
			steps = slices.DeleteFunc(steps, func(s v1alpha1.Step) bool { return slices.Contains(optional.steps, s) })
		}
	}
	furthest := -1
	for _, entry := range rel.Status.Timeline {
		furthest = max(furthest, slices.Index(steps, entry.Step))
	}
	var ahead []string
	for _, step := range steps[furthest+1:] {
		ahead = append(ahead, string(step))
	}
	return ahead
}
