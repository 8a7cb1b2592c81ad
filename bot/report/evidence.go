package report

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Caps that keep a comment well below GitHub's 65,536 characters.
const (
	maxEvidence = 4    // pieces of evidence
	maxLog      = 4000 // bytes from the end of a log
	maxBodyShow = 1000 // characters from the beginning of an answer
	maxDrift    = 4000 // characters from the beginning of a drift

)

// evidence shows what happened and why.
type evidence struct{ v view }

// failure shows why the release failed, and how to fix it. If a person or a newer release
// ended it, it shows only the reason.
func (e evidence) failure() string {
	f := e.v.rel.Status.Failure
	if f == nil || f.Class == v1alpha1.FaultSuperseded && e.v.rel.Status.SupersededBy != "" {
		return ""
	}
	message := e.v.failed(maxAdvice)
	if f.Class == v1alpha1.FaultCancelled || f.Class == v1alpha1.FaultSuperseded {
		return withCommands(upperFirst(message), f.Commands)
	}
	said := fmt.Sprintf("**%s**: %s", plain(string(f.Reason)), message)
	if at := e.place(f); at != "" {
		said += " · " + at
	}
	return withCommands(said, f.Commands)
}

// pieces shows the evidence of a failure, each piece folded.
func (e evidence) pieces(room int) string {
	f := e.v.rel.Status.Failure
	if f == nil || f.Class == v1alpha1.FaultCancelled || f.Class == v1alpha1.FaultSuperseded {
		return ""
	}
	var parts []string
	for _, e := range f.Evidence[:min(maxEvidence, len(f.Evidence))] {
		parts = append(parts, piece(e))
	}
	parts, _ = whole(parts, room, len("\n\n"))
	return paragraphs(append(parts, andMore(len(f.Evidence)-len(parts), "like it"))...)
}

// simplePath is the path of a file that needs no escape in a link.
var simplePath = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)*$`)

// place links the wrong file and line at the release's commit.
func (e evidence) place(f *v1alpha1.Failure) string {
	if f.File == "" {
		return ""
	}
	text, anchor := f.File, ""
	if f.Line > 0 {
		text, anchor = fmt.Sprintf("%s:%d", f.File, f.Line), fmt.Sprintf("#L%d", f.Line)
	}
	if e.v.commit() == "" || !simplePath.MatchString(f.File) {
		return code(text)
	}
	return link(code(text), e.v.repositoryURL("blob", e.v.commit(), f.File)+anchor)
}

// piece shows one piece of evidence, folded.
func piece(e v1alpha1.Evidence) string {
	var title []string
	for _, part := range []struct{ label, value string }{
		{"pod ", e.Pod}, {"container ", e.Container}, {"", e.Reason}, {"", e.Request},
	} {
		if part.value != "" {
			title = append(title, part.label+plain(prose.Characters(part.value, maxMessage)))
		}
	}
	if e.ExitCode != nil {
		title = append(title, fmt.Sprintf("exit code %d", *e.ExitCode))
	}
	if len(title) == 0 {
		title = append(title, "evidence")
	}
	var parts []string
	if e.Message != "" {
		parts = append(parts, plain(prose.Characters(e.Message, 2*maxMessage)))
	}
	if e.Body != "" {
		parts = append(parts, "It answered:", fence("text", prose.Characters(e.Body, maxBodyShow)))
	}
	if e.Log != "" {
		parts = append(parts, "Its last lines:", fence("text", tail(e.Log, maxLog)))
	}
	return fold(strings.Join(title, " · "), parts...)
}

// drift shows how the pod templates of the two colours differed, folded.
func (e evidence) drift(room int) string {
	if e.v.rel.Status.Drift == "" || room < 2*maxDrift {
		return ""
	}
	title := fmt.Sprintf("The pod template differs from what %s had before", e.v.target())
	if e.v.app.Spec.Template == v1alpha1.TemplateOwn {
		title = fmt.Sprintf("The pod template differs from what is live on %s", e.v.target().Other())
	}
	return fold(title, fence("diff", prose.Characters(e.v.rel.Status.Drift, maxDrift)))
}

// earlier folds the earlier releases of the same pull request, one line each.
func (e evidence) earlier(room int) string {
	all := e.v.around.Earlier
	if len(all) == 0 {
		return ""
	}
	var lines []string
	for _, rel := range all[:min(maxEarlier, len(all))] {
		before := e.v.of(rel)
		line := "- " + headline{before}.line()
		if rel.Status.Failure != nil {
			line += "\n  " + before.failed(maxMessage)
		}
		lines = append(lines, line)
	}
	if lines, _ = whole(lines, room-2*maxMessage, len("\n")); len(lines) == 0 {
		return ""
	}
	title := "Earlier attempt"
	if len(all) > 1 {
		title = fmt.Sprintf("%d earlier attempts", len(all))
	}
	return fold(title, strings.Join(lines, "\n"))
}
