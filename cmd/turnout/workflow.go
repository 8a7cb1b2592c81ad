package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// workflowLog is the log of a step of a GitHub workflow. The runner takes a line
// that begins with :: for a command, so no line of ours begins with a text from
// outside, and what goes into a command is escaped.
type workflowLog struct {
	out    io.Writer
	last   *v1alpha1.Release
	group  v1alpha1.Step // that is open
	failed int           // errors annotated
}

// show implements printer: what a step did while it ran goes into a group of its
// own, which is folded; how it ended stands below.
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
		w.line(c.text)
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

// line prints a line that is no command whatever it says.
func (w *workflowLog) line(text string) {
	if strings.HasPrefix(strings.TrimSpace(text), "::") {
		text = "| " + text
	}
	_, _ = fmt.Fprintln(w.out, text)
}

// annotate shows a text above the log, and on the page of the run. Level is
// notice, warning or error.
func (w *workflowLog) annotate(level, text string) {
	w.endGroup()
	if level == "error" {
		w.failed++
	}
	_, _ = fmt.Fprintf(w.out, "::%s title=%s::%s\n", level, escapeProperty("Turnout"), escapeData(text))
}

// failure shows why a release failed, at the file and line that is wrong if one
// is.
func (w *workflowLog) failure(release string, f *v1alpha1.Failure) {
	w.endGroup()
	w.failed++
	var at string
	if f.File != "" {
		at = "file=" + escapeProperty(f.File) + ","
		if f.Line > 0 {
			at += fmt.Sprintf("line=%d,", f.Line)
		}
	}
	_, _ = fmt.Fprintf(w.out, "::error %stitle=%s::%s\n", at, escapeProperty(release+" "+f.Reason), escapeData(f.Message))
}

// The escapes of workflow commands, as actions/toolkit makes them
// (packages/core/src/command.ts).
var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return dataEscapes.Replace(s) }
func escapeProperty(s string) string { return propertyEscapes.Replace(s) }
