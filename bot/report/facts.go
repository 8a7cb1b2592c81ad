package report

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// facts shows which version goes where, and who asked for it.
type facts struct{ v view }

// lines shows colours, versions, the environment, and who did what. Each line is short,
// since GitHub keeps the line breaks of a comment.
func (f facts) lines() string {
	version := f.v.versionLink(f.v.commit(), f.v.short())
	if p := f.v.previous(); p != nil && f.v.target() != "" {
		version = fmt.Sprintf("%s (%s) → %s (%s)", f.v.versionLink(p.Commit, p.Short()), p.Color, version, f.v.target())
	}
	lines := []string{version + " · " + f.environmentLink(), f.claims() + f.asked(f.v.rel.Spec.Cause)}
	if a := f.v.rel.Spec.Approval; a != nil {
		lines = append(lines, f.claims()+"approved by "+f.person(a.By, a.Cause))
	}
	for _, p := range f.v.rel.Spec.Promotions {
		lines = append(lines, fmt.Sprintf("%spromoted to %d %% of the users by %s", f.claims(), p.Weight, f.person(p.By, p.Cause)))
	}
	if c := f.v.rel.Spec.Cancel; c != nil {
		lines = append(lines, f.claims()+"cancelled by "+f.person(c.By, c.Cause))
	}
	if st := f.v.rel.Status.GitHub; st != nil && st.PullRequestsCut {
		lines = append(lines, fmt.Sprintf("⚠️ This push merged more pull requests than Turnout looks for: it comments on %d of them, and not "+
			"on the others", len(st.PullRequests)))
	}
	return strings.Join(lines, "\n")
}

// claims marks a cause that anybody who may write releases could have written.
func (f facts) claims() string {
	if f.v.rel.Claimed() {
		return "claims: "
	}
	return ""
}

func (f facts) environmentLink() string {
	name := plain(f.v.environment())
	if f.v.app.Spec.URL == "" {
		return name
	}
	return link(name, f.v.app.Spec.URL)
}

// asked shows who asked for a release, and how.
func (f facts) asked(c v1alpha1.Cause) string {
	if c.Kind == v1alpha1.CausePush {
		return "pushed by " + f.person(c.Actor, v1alpha1.Cause{Claims: c.Claims})
	}
	return "asked for by " + f.person(c.Actor, c)
}

// person names somebody, with a link to their comment if they asked on GitHub.
func (f facts) person(login string, c v1alpha1.Cause) string {
	name := plain(login)
	if name == "" {
		name = "somebody"
	}
	if c.Kind == v1alpha1.CauseComment && c.URL != "" {
		return name + " in " + link("a comment", c.URL)
	}
	if c.Claims != "" {
		return name + " (claims: " + plain(c.Claims) + ")"
	}
	return name
}
