package report

import (
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// view is what one report knows about a release.
type view struct {
	app      *v1alpha1.BlueGreen
	rel      *v1alpha1.Release
	around   Around
	web      string            // address of GitHub's pages, without a final slash
	heir     *v1alpha1.Release // the last release in the line of its successors; nil if unknown
	replaced *v1alpha1.Release // the release that moved users away from this one; nil if none did
}

// Around is what a report needs beside the release and its application. Its zero value
// means: no other releases, on github.com.
type Around struct {
	// Web is the address of GitHub's pages. Default: https://github.com.
	Web string
	// Applications are the repository's granted applications, including this one.
	Applications []v1alpha1.BlueGreen
	// Releases are the application's releases, with or without this one.
	Releases []v1alpha1.Release
	// Earlier are earlier releases of the same pull request, newest first. The comment
	// folds them.
	Earlier []*v1alpha1.Release
}

func newView(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, around Around) view {
	return view{
		app: app, rel: rel, around: around, web: webAddress(around.Web),
		heir: heirOf(rel, around.Releases), replaced: replacedBy(rel, around.Releases),
	}
}

// of is the view of another release of the same application.
func (v view) of(rel *v1alpha1.Release) view {
	around := v.around
	around.Earlier = nil
	return newView(v.app, rel, around)
}

// webAddress turns the configured address of GitHub, possibly its API's, into that of its
// pages.
func webAddress(typed string) string {
	web := strings.TrimSuffix(strings.TrimSuffix(typed, "/"), "/api/v3")
	if web == "" || strings.HasSuffix(web, "//api.github.com") {
		return "https://github.com"
	}
	return web
}

// versionLink shows a version, linked to its commit if that is known.
func (v view) versionLink(commit, short string) string {
	if commit == "" {
		return code(short)
	}
	return link(code(short), v.repositoryURL("commit", commit))
}

// repositoryURL is the address of a page of the repository.
func (v view) repositoryURL(path ...string) string {
	return strings.Join(append([]string{v.web, v.app.Spec.Repository}, path...), "/")
}

// environment is the name in the Deployments tab. If applications of one repository share
// an environment, the application's name is added.
func (v view) environment() string {
	if name := command.NameInEnvironment(v.app, v.around.Applications); name != "" {
		return v.app.Spec.Environment + "/" + name
	}
	return v.app.Spec.Environment
}

// typed is a command for this application. It includes the name if the repository has
// several applications.
func (v view) typed(verb command.Verb) string {
	return command.Command{Verb: verb, Application: command.NameAmong(v.app, v.around.Applications)}.String()
}

// command shows such a command, ready to copy.
func (v view) command(verb command.Verb) string { return code(v.typed(verb)) }

// successor names the version that superseded this one.
func (v view) successor() string {
	name := v.rel.Status.SupersededBy
	if rel := command.ByName(v.around.Releases, name); rel != nil {
		return v.of(rel).short()
	}
	// The record has lost it, but its name has the beginning of the commit.
	parts := strings.Split(name, "-")
	if len(parts) > 2 {
		return v1alpha1.ShortCommit(parts[len(parts)-2])
	}
	return name
}

// waitCommands returns the commands that end a wait.
func (v view) waitCommands() []v1alpha1.ShellCommand {
	switch v.rel.Status.Phase {
	case "", v1alpha1.ReleaseQueued, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseRunning:
		if v.lock() == nil {
			return v.rel.Status.Commands
		}
	case v1alpha1.ReleaseUndoing, v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled,
		v1alpha1.ReleaseSuperseded:
	}
	return nil
}

// interference reports whether the release stopped because somebody else changed routes or
// pods. Then the record does not show what users have.
func interference(rel *v1alpha1.Release) bool {
	f := rel.Status.Failure
	return f != nil && f.Class == v1alpha1.FaultInterference
}

// maxEarlier is how many earlier releases a comment lists.
const maxEarlier = 10

// rollback reports whether the release is a rollback.
func (v view) rollback() bool { return v.rel.Spec.Rollback != nil }

// commit is the commit that users get if the release succeeds; empty if unknown.
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

// target is the colour that gets the users; empty if the release is not claimed yet.
func (v view) target() v1alpha1.Color {
	if v.rel.Spec.Rollback != nil {
		return v.rel.Spec.Rollback.To.Color
	}
	return v.rel.Status.Milestones.Target
}

// previous is the version that was live before; nil if unknown.
func (v view) previous() *v1alpha1.Version {
	if v.rel.Spec.Rollback != nil {
		return &v.rel.Spec.Rollback.From
	}
	return v.rel.Status.Milestones.Previous
}

// lock is the lock that blocks the release; nil if none does. A lock blocks neither a
// rollback nor a release that has switched or is being undone.
func (v view) lock() *v1alpha1.Lock {
	phase := v.rel.Status.Phase
	waits := phase == "" || phase == v1alpha1.ReleaseQueued || phase == v1alpha1.ReleaseWaiting
	if v.rollback() || !waits || v.rel.Status.Milestones.SwitchedAt != nil {
		return nil
	}
	return v.app.Status.Lock
}

// attempt is the number of this attempt, from 1.
func (h headline) attempt() int32 {
	switch {
	case h.v.rel.Spec.Deploy != nil:
		return h.v.rel.Spec.Deploy.Attempt
	case h.v.rel.Spec.Rollback != nil:
		return max(1, h.v.rel.Spec.Rollback.Attempt)
	}
	return 1
}
