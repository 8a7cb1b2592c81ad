package report

import (
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Report is what GitHub should show of one release.
type Report struct {
	// Deployment in the Deployments tab; nil if the version's commit is not known, as
	// it may be of the one that was found at adoption: GitHub has nothing to show then.
	Deployment *Deployment
	// Headline is the comment's first line, without its heading mark.
	Headline string
	// Comment is the body of the pull request's comment below the headline.
	Comment string
	// Gist stands for what a reader acts on, for comparing only: as long as it
	// stays the same, a changed comment is no news.
	Gist string
}

// Body is the whole comment.
func (r Report) Body() string { return paragraphs("### "+r.Headline, r.Comment) }

// Of says what GitHub should show of a release: nothing but a function of the
// record, so that the same record always shows the same, and what is published
// can be compared with what should be. It takes no clock: times in it are
// absolute, and a step under way says since when.
func Of(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, around Around) Report {
	v := newView(app, rel, around)
	return Report{
		Deployment: v.deployment(),
		Headline:   v.headline(),
		Comment:    v.comment(),
		Gist:       v.gist(),
	}
}

// DeploymentOf is what the Deployments tab should show of a release, see
// [Report.Deployment].
func DeploymentOf(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, around Around) *Deployment {
	return newView(app, rel, around).deployment()
}

// comment is the body below the headline. GitHub takes so many characters; what is
// said of what happened, and what to do, comes first, and of everything else as many
// whole entries as there is room for.
func (v view) comment() string {
	outcome, facts, failure, proof := v.outcome(), v.facts(), v.failure(), v.proof()
	notShown, afterwards, next := v.notShown(), v.afterwards(), v.next()
	room := maxComment - maxHead - utf8.RuneCountInString(paragraphs(outcome, facts, failure, proof, notShown, afterwards, next))
	for _, text := range []*string{&notShown, &proof, &afterwards} { // where all of it is as long as can be
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
	findings := take(v.findings)
	evidence := take(v.evidence)
	timeline := take(v.timeline)
	drift := take(v.drift)
	earlier := take(v.earlier)
	return paragraphs(outcome, facts, failure, evidence, timeline, proof, drift, findings, notShown, afterwards, next, earlier)
}

// maxHead is what a comment has beside the body: marker, headline, blank lines.
const maxHead = 4000

// gist lists what a reader acts on.
func (v view) gist() string {
	parts := []string{v.stage(), v.outcome(), v.afterwards()}
	if v.rel.Spec.Approval != nil && v.rel.Status.Milestones.SwitchIntendedAt == nil {
		parts = append(parts, "approved")
	}
	if f := v.rel.Status.Failure; f != nil {
		parts = append(parts, v1alpha1.Advice{Text: f.Message, Commands: f.Commands}.Lines())
	}
	if over := v.stagedOver(); over != nil && v.promised(over) {
		parts = append(parts, "no longer at once")
	}
	if v.notShown() != "" {
		parts = append(parts, "no deployment")
	}
	for _, earlier := range v.around.Earlier {
		parts = append(parts, string(earlier.UID))
	}
	return Digest(parts)
}

// stage is where a release stands, as coarse as it matters to whoever waits for
// it.
func (v view) stage() string {
	st := v.rel.Status
	switch {
	case st.Phase != v1alpha1.ReleaseRunning:
		return v.state()
	case Moved(v.rel):
		return "live " + string(st.Step)
	case v.rollback() || st.Milestones.Built != nil:
		return "starting"
	}
	return "building"
}
