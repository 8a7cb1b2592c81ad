package bot

import (
	"fmt"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// DeploymentState is GitHub's word for where a deployment stands.
type DeploymentState string

// The states of a deployment that are published. Each says the truth: nothing is
// a success before it soaked, and a failure of the world is no failure of the
// release.
const (
	StateQueued     DeploymentState = "queued"
	StateInProgress DeploymentState = "in_progress"
	StatePending    DeploymentState = "pending"  // it waits for a person
	StateSuccess    DeploymentState = "success"  // users have it, and it soaked
	StateFailure    DeploymentState = "failure"  // the release's own fault
	StateError      DeploymentState = "error"    // the world's fault
	StateInactive   DeploymentState = "inactive" // cancelled, superseded, or left behind by a later success
)

// maxDescription is the length of a deployment's description, in characters
// (GitHub REST docs, "Create a deployment status").
const maxDescription = 140

// ReportData is what GitHub should show of one release.
type ReportData struct {
	// Deployment in the Deployments tab; nil if the version has no commit, as
	// the one that was found at adoption: GitHub has nothing to show then.
	Deployment *Deployment
	// Headline is the comment's first line, without its heading mark.
	Headline string
	// Comment is the body of the pull request's comment below the headline.
	Comment string
}

// Deployment is one row of the Deployments tab.
type Deployment struct {
	ReleaseUID     string // marks it as ours
	Application    string // namespace/name
	Ref            string // the commit
	Task           string // deploy or rollback
	Environment    string
	State          DeploymentState
	Description    string // at most 140 characters
	LogURL         string // of the build, if there is one
	EnvironmentURL string
}

// Report says what GitHub should show of a release: nothing but a function of the
// record, so that the same record always shows the same, and what is published
// can be compared with what should be. It takes no clock: times in it are
// absolute, and a step under way says since when. web is GitHub's address for
// people, such as https://github.com.
func Report(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, web string) ReportData {
	v := view{app: app, rel: rel, web: web}
	return ReportData{
		Deployment: v.deployment(),
		Headline:   v.headline(),
		Comment:    v.comment(),
	}
}

// view is a release as it is looked at by one report.
type view struct {
	app *v1alpha1.BlueGreen
	rel *v1alpha1.Release
	web string
}

func (v view) deployment() *Deployment {
	if v.commit() == "" {
		return nil
	}
	state := stateOf(v.rel)
	d := &Deployment{
		ReleaseUID: string(v.rel.UID), Application: v.app.Namespace + "/" + v.app.Name, Ref: v.commit(),
		Task: "deploy", Environment: v.app.Spec.Environment, EnvironmentURL: v.app.Spec.URL, State: state,
		Description: truncate(v.description(state), maxDescription),
	}
	if v.rel.Spec.Kind == v1alpha1.Rollback {
		d.Task = "rollback"
	}
	if v.rel.Status.Build != nil {
		d.LogURL = v.rel.Status.Build.LogURL
	}
	return d
}

// stateOf translates a release's phase.
func stateOf(rel *v1alpha1.Release) DeploymentState {
	switch rel.Status.Phase {
	case v1alpha1.ReleaseRunning, v1alpha1.ReleaseUndoing:
		return StateInProgress
	case v1alpha1.ReleaseWaiting:
		return StatePending
	case v1alpha1.ReleaseSucceeded:
		return StateSuccess
	case v1alpha1.ReleaseFailed:
		return StateFailure
	case v1alpha1.ReleaseError:
		return StateError
	case v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		return StateInactive
	case v1alpha1.ReleaseQueued:
	}
	return StateQueued
}

func (v view) description(state DeploymentState) string {
	what := v.short()
	if v.rel.Spec.Kind == v1alpha1.Rollback {
		what = fmt.Sprintf("back to %s from %s", v.short(), v.rel.Spec.Rollback.From.Short())
	}
	if actor := v.rel.Spec.Cause.Actor; actor != "" {
		what += " by " + actor
	}
	switch state {
	case StateQueued:
		return what + " is queued"
	case StatePending:
		return what + " waits for /promote"
	case StateSuccess:
		return fmt.Sprintf("%s is live on %s", what, v.target())
	case StateInProgress:
		if v.rel.Status.Phase == v1alpha1.ReleaseUndoing {
			return what + " is being undone"
		}
		return what + " is on its way"
	case StateFailure, StateError, StateInactive:
	}
	if f := v.rel.Status.Failure; f != nil {
		return fmt.Sprintf("%s: %s", what, oneLine(f.Message))
	}
	return fmt.Sprintf("%s: %s", what, oneLine(v.rel.Status.Message))
}

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

// moved reports whether users are on the release's version: it switched, and did
// not go back.
func (v view) moved() bool {
	m := v.rel.Status.Milestones
	return m.SwitchedAt != nil && m.RestoredAt == nil
}

// clock shows a time of day; everybody reads the same, so it is UTC.
func clock(t time.Time) string {
	return t.UTC().Format("15:04:05")
}

// span shows a duration as precisely as it matters.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
