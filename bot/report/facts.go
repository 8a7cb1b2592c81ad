package report

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// facts names colours, versions, the environment, and who did what: a short line
// each, since GitHub keeps the line breaks of a comment.
func (v view) facts() string {
	version := v.versionLink(v.commit(), v.short())
	if p := v.previous(); p != nil && v.target() != "" {
		version = fmt.Sprintf("%s (%s) → %s (%s)", v.versionLink(p.Commit, p.Short()), p.Color, version, v.target())
	}
	lines := []string{version + " · " + v.environmentLink(), v.claims() + "asked by " + v.who(v.rel.Spec.Cause)}
	if a := v.rel.Spec.Approval; a != nil {
		lines = append(lines, v.claims()+"approved by "+v.person(a.By, a.Cause))
	}
	if c := v.rel.Spec.Cancel; c != nil {
		lines = append(lines, v.claims()+"cancelled by "+v.person(c.By, c.Cause))
	}
	if st := v.rel.Status.GitHub; st != nil && st.PullRequestsCut {
		lines = append(lines, fmt.Sprintf("⚠️ Its push merged more pull requests than are looked for: %d of them hear of it here, the others "+
			"do not", len(st.PullRequests)))
	}
	return strings.Join(lines, "\n")
}

// claims marks what anybody who may write releases could have written.
func (v view) claims() string {
	if v.rel.Claimed() {
		return "claims: "
	}
	return ""
}

func (v view) environmentLink() string {
	name := plain(v.environment())
	if v.app.Spec.URL == "" {
		return name
	}
	return link(name, v.app.Spec.URL)
}

func (v view) who(c v1alpha1.Cause) string {
	if c.Kind == v1alpha1.CausePush {
		return v.person(c.Actor, v1alpha1.Cause{Claims: c.Claims}) + ", by a push"
	}
	return v.person(c.Actor, c)
}

// person names somebody, with a link to what they said if they said it on GitHub.
func (v view) person(login string, c v1alpha1.Cause) string {
	name := plain(login)
	if name == "" {
		name = "somebody"
	}
	if c.Kind == v1alpha1.CauseComment && c.URL != "" {
		return name + ", in " + link("a comment", c.URL)
	}
	if c.Claims != "" {
		return name + " (claims: " + plain(c.Claims) + ")"
	}
	return name
}
