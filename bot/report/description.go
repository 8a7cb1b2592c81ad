package report

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// maxActor leaves room in it for a command that is to be typed.
const maxActor = 60

func (v view) deployment() *Deployment {
	ref := v.revision()
	if ref == "" {
		return nil
	}
	state := stateOf(v.rel)
	if state == StateSuccess && v.replaced != nil {
		state = StateInactive // GitHub does that by itself for no production environment (REST docs, "Inactive deployments")
	}
	d := &Deployment{
		ReleaseUID: string(v.rel.UID), Application: v.app.Namespace + "/" + v.app.Name, Ref: ref,
		Task: "deploy", Environment: v.environment(), EnvironmentURL: v.app.Spec.URL, State: state,
		Description: prose.Characters(v.description(state), maxDescription),
	}
	if v.rollback() {
		d.Task = "rollback"
	}
	if v.rel.Status.Build != nil {
		d.LogURL = v.rel.Status.Build.LogURL
	}
	return d
}

// revision is what the Deployments tab shows a release at: the commit, or the hash of
// it that the image of a version has which Turnout found; "" if nothing tells.
func (v view) revision() string {
	if v.rel.Spec.Rollback != nil {
		return v.rel.Spec.Rollback.To.Revision()
	}
	return v.commit()
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

// description says a state in a line. It is the same for all that one state can
// mean while the release is under way: a row that changes its words only would
// be a second row that says in_progress.
func (v view) description(state DeploymentState) string {
	what := v.short()
	if v.rollback() {
		what = fmt.Sprintf("back to %s from %s", v.short(), v.rel.Spec.Rollback.From.Short())
	}
	if actor := prose.Characters(oneLine(v.rel.AskedBy()), maxActor); actor != "" {
		what += " by " + actor
	}
	if lock := v.lock(); lock != nil {
		return what + " waits: " + lockText(lock, oneLine)
	}
	switch state {
	case StateQueued:
		return what + " is queued"
	case StatePending:
		return what + " waits for " + v.typed(command.Promote)
	case StateSuccess:
		return fmt.Sprintf("%s is live on %s", what, v.target())
	case StateInProgress:
		return what + " is under way"
	case StateInactive:
		if v.replaced != nil && v.rel.Status.Phase == v1alpha1.ReleaseSucceeded {
			return fmt.Sprintf("%s was live on %s; replaced by %s", what, v.target(), v.of(v.replaced).short())
		}
		if v.rel.Status.SupersededBy != "" {
			return fmt.Sprintf("%s: superseded by %s", what, v.successor())
		}
	case StateFailure, StateError:
	}
	if f := v.rel.Status.Failure; f != nil {
		return fmt.Sprintf("%s: %s", what, oneLine(f.Message))
	}
	return fmt.Sprintf("%s: %s", what, oneLine(v.rel.Status.Message))
}

// notShown says why the Deployments tab has not what the comment says.
func (v view) notShown() string {
	st := v.rel.Status.GitHub
	switch {
	case v.revision() == "" && Moved(v.rel) && v.replaced == nil:
		return fmt.Sprintf("⚠️ The Deployments tab shows no active deployment to %s: Turnout did not build %s, and the tag of its image does "+
			"not name its commit.",
			code(v.environment()), code(v.short()))
	case st == nil || st.DeploymentRefused == "":
		return ""
	}
	return "⚠️ GitHub refused to show this release in the Deployments tab: " + plain(prose.Characters(st.DeploymentRefused, maxMessage))
}
