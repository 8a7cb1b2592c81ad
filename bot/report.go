package bot

import (
	"strings"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// ReportData is what GitHub should show of one release.
type ReportData struct {
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

// Around is what a report needs to know beside the release and its application:
// data that somebody read before. Its zero value is a release that is alone in
// the world, on github.com.
type Around struct {
	// Web is GitHub's address for people. Default: https://github.com.
	Web string
	// Applications are those of the repository that are granted, the reported one
	// among them.
	Applications []v1alpha1.BlueGreen
	// Releases are those of the application; the reported one may be among them.
	Releases []v1alpha1.Release
	// Earlier are the releases that concern the same pull request and came before
	// this one, newest first: they are folded into its comment.
	Earlier []*v1alpha1.Release
}

// Report says what GitHub should show of a release: nothing but a function of the
// record, so that the same record always shows the same, and what is published
// can be compared with what should be. It takes no clock: times in it are
// absolute, and a step under way says since when.
func Report(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, around Around) ReportData {
	v := newView(app, rel, around)
	return ReportData{
		Deployment: v.deployment(),
		Headline:   v.headline(),
		Comment:    v.comment(),
		Gist:       v.gist(),
	}
}

// view is a release as it is looked at by one report.
type view struct {
	app      *v1alpha1.BlueGreen
	rel      *v1alpha1.Release
	around   Around
	web      string            // GitHub's address for people, without a final slash
	heir     *v1alpha1.Release // at the end of the line of those that took its place; nil if none is known
	replaced *v1alpha1.Release // moved users on after this one; nil if none did
}

func newView(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, around Around) view {
	return view{
		app: app, rel: rel, around: around, web: webAddress(around.Web),
		heir: heirOf(rel, around.Releases), replaced: replacedBy(rel, around.Releases),
	}
}

// of looks at another release of the same application.
func (v view) of(rel *v1alpha1.Release) view {
	around := v.around
	around.Earlier = nil
	return newView(v.app, rel, around)
}

// webAddress turns the address that people typed for GitHub, which may be its
// API's, into that of its pages.
func webAddress(typed string) string {
	web := strings.TrimSuffix(strings.TrimSuffix(typed, "/"), "/api/v3")
	if web == "" || strings.HasSuffix(web, "//api.github.com") {
		return "https://github.com"
	}
	return web
}

// rollback reports whether the release takes back a switch.
func (v view) rollback() bool { return v.rel.Spec.Rollback != nil }

// commit is the one that users get if the release succeeds; empty if unknown.
func (v view) commit() string {
	switch {
	case v.rel.Spec.Deploy != nil:
		return v.rel.Spec.Deploy.Commit
	case v.rel.Spec.Rollback != nil:
		return v.rel.Spec.Rollback.To.Commit
	}
	return ""
}

// short names the version that users get.
func (v view) short() string {
	if v.rel.Spec.Rollback != nil {
		return v.rel.Spec.Rollback.To.Short()
	}
	return v1alpha1.ShortCommit(v.commit())
}

// target is the colour that users are moved to; empty if not claimed yet.
func (v view) target() v1alpha1.Color {
	if v.rel.Spec.Rollback != nil {
		return v.rel.Spec.Rollback.To.Color
	}
	return v.rel.Status.Milestones.Target
}

// previous is the version that was live before; nil if not known yet.
func (v view) previous() *v1alpha1.Version {
	if v.rel.Spec.Rollback != nil {
		return &v.rel.Spec.Rollback.From
	}
	return v.rel.Status.Milestones.Previous
}

// moved reports whether a release's switch stands: it moved users, and did not
// move them back.
func moved(rel *v1alpha1.Release) bool {
	m := rel.Status.Milestones
	return m.SwitchedAt != nil && m.RestoredAt == nil
}

// lock is what keeps the release from moving users; nil if nothing does. A
// rollback works behind a lock, and so does what is switched or being undone.
func (v view) lock() *v1alpha1.Lock {
	phase := v.rel.Status.Phase
	waits := phase == "" || phase == v1alpha1.ReleaseQueued || phase == v1alpha1.ReleaseWaiting
	if v.rollback() || !waits || v.rel.Status.Milestones.SwitchedAt != nil {
		return nil
	}
	return v.app.Status.Lock
}

// attempt counts the tries of what the release does, from 1.
func (v view) attempt() int32 {
	switch {
	case v.rel.Spec.Deploy != nil:
		return v.rel.Spec.Deploy.Attempt
	case v.rel.Spec.Rollback != nil:
		return max(1, v.rel.Spec.Rollback.Attempt)
	}
	return 1
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

// paragraphs joins the parts of a comment that are there.
func paragraphs(parts ...string) string {
	kept := parts[:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "\n\n")
}

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
	return digestOf(parts)
}

// stage is where a release stands, as coarse as it matters to whoever waits for
// it.
func (v view) stage() string {
	st := v.rel.Status
	switch {
	case st.Phase != v1alpha1.ReleaseRunning:
		return v.state()
	case moved(v.rel):
		return "live " + string(st.Step)
	case v.rollback() || st.Milestones.Built != nil:
		return "starting"
	}
	return "building"
}
