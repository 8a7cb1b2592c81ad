package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// workflowLog is the log of a step of a GitHub workflow. It sends commands to the runner,
// so it writes beyond the [border]: it makes its lines fit as the border does, and
// neutralises and escapes what goes into a command.
type workflowLog struct {
	out    io.Writer
	last   *v1alpha1.Release
	group  v1alpha1.Step // the open group
	failed int           // number of annotated errors
}

// show implements printer. What a step did while it ran goes into a folded group; how it
// ended stands below.
func (w *workflowLog) show(rel *v1alpha1.Release, _ time.Time) {
	for _, c := range changes(w.last, rel) {
		switch {
		case c.step == "" || c.ended:
			w.endGroup()
		case c.step != w.group:
			w.endGroup()
			w.group = c.step
			_, _ = fmt.Fprintf(w.out, "::group::%s\n", escapeData(string(c.step)))
		}
		_, _ = fmt.Fprintln(w.out, shownLine(c.text))
	}
	w.last = rel.DeepCopy()
}

func (w *workflowLog) tick(time.Time)         {}
func (w *workflowLog) aside()                 {}
func (w *workflowLog) done(*v1alpha1.Release) { w.endGroup() }

func (w *workflowLog) endGroup() {
	if w.group != "" {
		_, _ = io.WriteString(w.out, "::endgroup::\n")
	}
	w.group = ""
}

// annotate shows a text above the log, and on the page of the run. Level is notice, warning
// or error.
func (w *workflowLog) annotate(level, text string) {
	w.endGroup()
	if level == "error" {
		w.failed++
	}
	_, _ = fmt.Fprintf(w.out, "::%s title=%s::%s\n", level, escapeProperty("Turnout"), escapeData(text))
}

// annotation has the texts above a workflow's log; they keep their lines.
func annotation() report.Surface {
	s := terminal(&v1alpha1.BlueGreen{})
	s.Words["text"] = func(a command.Args) string { return a.Reason }
	s.Words["detail"] = func(a command.Args) string {
		if a.Reason == "" {
			return ""
		}
		return ": " + a.Reason
	}
	return s
}

// failure shows why a release failed, at the wrong file and line if there is one.
func (w *workflowLog) failure(rel *v1alpha1.Release) {
	f := rel.Status.Failure
	w.endGroup()
	w.failed++
	var at string
	if f.File != "" {
		at = "file=" + escapeProperty(f.File) + ","
		if f.Line > 0 {
			at += fmt.Sprintf("line=%d,", f.Line)
		}
	}
	_, _ = fmt.Fprintf(w.out, "::error %stitle=%s::%s\n", at, escapeProperty(rel.Name+" "+string(f.Reason)),
		escapeData(strings.Join(append([]string{failed(annotation(), rel)}, commandLines(f.Commands)...), "\n")))
}

// Escapes of workflow commands, as in actions/toolkit (packages/core/src/command.ts).
var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return dataEscapes.Replace(prose.Mask(prose.Neutral(s))) }
func escapeProperty(s string) string { return propertyEscapes.Replace(prose.Mask(prose.Neutral(s))) }
