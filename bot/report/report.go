package report

import (
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Report is what GitHub should show about one release.
type Report struct {
	// Deployment is the row in the Deployments tab. It is nil if the version's commit is
	// unknown, for example of a version that was live before Turnout.
	Deployment *Deployment
	// Headline is the comment's first line, without its heading mark.
	Headline string
	// Comment is the body of the pull request's comment below the headline.
	Comment string
	// Gist identifies what a reader acts on. It is only compared: if it stays the same, a
	// changed comment is no news.
	Gist string
}

// Body is the whole comment.
func (r Report) Body() string { return paragraphs("### "+r.Headline, r.Comment) }

// Of makes the report of a release. It depends on nothing but the record, so that the bot
// can compare what is published with what should be.
func Of(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, around Around) Report {
	v := newView(app, rel, around)
	return Report{Deployment: tab{v}.deployment(), Headline: headline{v}.line(), Comment: comment(v), Gist: gist(v)}
}

// DeploymentOf is what the Deployments tab should show of a release, see
// [Report.Deployment].
func DeploymentOf(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, around Around) *Deployment {
	return tab{newView(app, rel, around)}.deployment()
}

// comment is the body below the headline. What happened and what to do come first. Of
// everything else it has as many whole entries as fit.
func comment(v view) string {
	e, n := evidence{v}, nextSteps{v}
	happened, about, failure, proof := outcome{v}.text(), facts{v}.lines(), e.failure(), e.proof()
	notShown, afterwards, owed, next := tab{v}.notShown(), n.afterwards(), owedContract(v), n.text()
	room := maxComment - maxHead - utf8.RuneCountInString(paragraphs(happened, about, failure, proof, notShown, afterwards, owed, next))
	for _, text := range []*string{&notShown, &proof, &afterwards} { // dropped only if everything is as long as it can be
		if room < 0 {
			room += utf8.RuneCountInString(*text)
			*text = ""
		}
	}
	take := func(section func(room int) string) string {
		text := section(max(0, room))
		room -= utf8.RuneCountInString(text) + len("\n\n")
		return text
	}
	findings, pieces := take(e.findings), take(e.pieces)
	measured := take(func(room int) string { return metricsTable(v.rel.Status.Analysis, room) })
	table, drift, earlier := take(timeline{v}.table), take(e.drift), take(e.earlier)
	return paragraphs(happened, about, failure, pieces, measured, table, proof, drift, findings, notShown, afterwards, owed, next, earlier)
}

// maxHead is room for what stands beside the body: marker, headline, blank lines.
const maxHead = 4000

// gist hashes what a reader acts on.
func gist(v view) string {
	n := nextSteps{v}
	parts := []string{headline{v}.stage(), outcome{v}.text(), n.afterwards(), owedContract(v)}
	if v.rel.Spec.Approval != nil && v.rel.Status.Milestones.SwitchIntendedAt == nil {
		parts = append(parts, "approved")
	}
	if f := v.rel.Status.Failure; f != nil {
		parts = append(parts, v1alpha1.Advice{Text: f.Message, Commands: f.Commands}.Lines())
	}
	if over := n.stagedOver(); over != nil && n.promised(over) {
		parts = append(parts, "no longer at once")
	}
	if n.last() && v.app.Status.ClosedBack(nil, v.around.Releases) != nil {
		parts = append(parts, "way back closed")
	}
	if n.gate() != "" {
		parts = append(parts, "the gate decides about the way back")
	}
	if (tab{v}).notShown() != "" {
		parts = append(parts, "no deployment")
	}
	for _, earlier := range v.around.Earlier {
		parts = append(parts, string(earlier.UID))
	}
	return Digest(parts)
}
