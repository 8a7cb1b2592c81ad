package report

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// maxActor leaves room in a description for a command.
const maxActor = 60

// tab makes what the Deployments tab shows of a release.
type tab struct{ v view }

func (t tab) deployment() *Deployment {
	ref := t.revision()
	if ref == "" {
		return nil
	}
	state := stateOf(t.v.rel)
	if state == StateSuccess && t.v.replaced != nil {
		state = StateInactive // GitHub does that by itself for no production environment (REST docs, "Inactive deployments")
	}
	shown := &Deployment{
		ReleaseUID: string(t.v.rel.UID), Application: t.v.app.Namespace + "/" + t.v.app.Name, Ref: ref,
		Task: "deploy", Environment: t.v.environment(), EnvironmentURL: t.v.app.Spec.URL, State: state,
		Description: prose.Characters(t.description(state), maxDescription),
	}
	if t.v.rollback() {
		shown.Task = "rollback"
	}
	if t.v.rel.Status.Build != nil {
		shown.LogURL = t.v.rel.Status.Build.LogURL
	}
	return shown
}

// revision is the commit, or the commit hash in the tag of an image that Turnout found; ""
// if neither is known.
func (t tab) revision() string {
	if t.v.rel.Spec.Rollback != nil {
		return t.v.rel.Spec.Rollback.To.Revision()
	}
	return t.v.commit()
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

// description is the state in one line. While a release is under way, each state has only
// one description: GitHub would show a changed one as a second row with the same state.
func (t tab) description(state DeploymentState) string {
	what := t.v.short()
	if t.v.rollback() {
		what = fmt.Sprintf("back to %s from %s", t.v.short(), t.v.rel.Spec.Rollback.From.Short())
	}
	if actor := prose.Characters(oneLine(t.v.rel.AskedBy()), maxActor); actor != "" {
		what += " by " + actor
	}
	if lock := t.v.lock(); lock != nil {
		return what + " waits: " + lockText(lock, oneLine)
	}
	switch state {
	case StateQueued:
		return what + " is queued"
	case StatePending:
		return what + " waits for " + t.v.typed(command.Promote)
	case StateSuccess:
		return fmt.Sprintf("%s is live on %s", what, t.v.target())
	case StateInProgress:
		return what + " is under way"
	case StateInactive:
		if t.v.replaced != nil && t.v.rel.Status.Phase == v1alpha1.ReleaseSucceeded {
			return fmt.Sprintf("%s was live on %s; replaced by %s", what, t.v.target(), t.v.of(t.v.replaced).short())
		}
		if t.v.rel.Status.SupersededBy != "" {
			return fmt.Sprintf("%s: superseded by %s", what, t.v.successor())
		}
	case StateFailure, StateError:
	}
	if f := t.v.rel.Status.Failure; f != nil {
		return fmt.Sprintf("%s: %s", what, oneLine(f.Message))
	}
	return fmt.Sprintf("%s: %s", what, oneLine(t.v.rel.Status.Message))
}

// notShown says why the Deployments tab does not show what the comment shows.
func (t tab) notShown() string {
	st := t.v.rel.Status.GitHub
	switch {
	case t.revision() == "" && Moved(t.v.rel) && t.v.replaced == nil:
		return fmt.Sprintf("⚠️ The Deployments tab shows no active deployment to %s: Turnout did not build %s, and the tag of its image does "+
			"not name its commit.",
			code(t.v.environment()), code(t.v.short()))
	case st == nil || st.DeploymentRefused == "":
		return ""
	}
	return "⚠️ GitHub refused to show this release in the Deployments tab: " + plain(prose.Characters(st.DeploymentRefused, maxMessage))
}
