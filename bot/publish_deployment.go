package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// wanted is the deployment that GitHub should show for a release, nil if there
// is nothing to show.
func (t *thread) wanted(rel *v1alpha1.Release) *Deployment {
	return newView(t.app, rel, t.around()).deployment()
}

// deployments publishes the release's own deployment, then those of the others
// whose state it changed.
func (t *thread) deployments(ctx context.Context) error {
	if err := t.deployment(ctx, t.rel); err != nil {
		return err
	}
	for i := range t.releases {
		other := &t.releases[i]
		if other.UID == t.rel.UID || other.Status.GitHub.DeploymentID == 0 || !settled(other) {
			continue
		}
		if err := t.deployment(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// settled reports whether a release's deployment was published as one that users
// have, or had: only those change because of another release.
func settled(rel *v1alpha1.Release) bool {
	return rel.Status.Phase == v1alpha1.ReleaseSucceeded && rel.Status.GitHub.DeploymentState != ""
}

// deployment makes GitHub show the wanted deployment of a release.
func (t *thread) deployment(ctx context.Context, rel *v1alpha1.Release) error {
	want := t.wanted(rel)
	if want == nil {
		return nil
	}
	if rel.Status.GitHub.DeploymentID == 0 {
		if err := t.createDeployment(ctx, rel, want); err != nil || rel.Status.GitHub.DeploymentID == 0 {
			return err
		}
	}
	st, shown := rel.Status.GitHub, fmt.Sprintf("%s: %s", want.State, want.Description)
	if st.DeploymentStateIntended == "" && st.DeploymentState == shown {
		return nil
	}
	wait := time.Duration(0)
	if want.State == StateInProgress {
		wait = unsettled(rel)
	}
	if wait <= 0 {
		wait = t.pace.turn(fmt.Sprintf("deployment %d", st.DeploymentID), t.apart())
	}
	if wait > 0 {
		t.later(wait)
		return nil
	}
	return t.postState(ctx, rel, want, shown)
}

// postState posts a state once: intent, act, outcome. An intent without an
// outcome is from a call that ended early, so GitHub is asked what it has; there
// is nothing to ask otherwise.
func (t *thread) postState(ctx context.Context, rel *v1alpha1.Release, want *Deployment, shown string) error {
	posted := func(s *v1alpha1.GitHubStatus) { s.DeploymentState, s.DeploymentStateIntended = shown, "" }
	id := rel.Status.GitHub.DeploymentID
	if rel.Status.GitHub.DeploymentStateIntended != "" {
		last, err := t.GitHub.deploymentState(ctx, t.app.Spec.Repository, id)
		if err != nil {
			return err
		}
		if last.State == want.State && last.Description == want.Description {
			return t.record(ctx, rel, posted)
		}
	}
	if err := t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentStateIntended = shown }); err != nil {
		return err
	}
	if err := t.GitHub.setDeployment(ctx, t.app.Spec.Repository, id, *want); err != nil {
		return err
	}
	return t.record(ctx, rel, posted)
}

// createDeployment creates the deployment of a release once: intent, act,
// outcome. An intent without an outcome is from a call that ended early; what it
// made may not be listed yet, so it is waited for, and then looked for.
func (t *thread) createDeployment(ctx context.Context, rel *v1alpha1.Release, want *Deployment) error {
	id := int64(0)
	if intended := rel.Status.GitHub.DeploymentIntendedAt; intended == nil {
		if err := t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentIntendedAt = timestamp() }); err != nil {
			return err
		}
	} else {
		wait := t.grace() - time.Since(intended.Time)
		if wait > 0 {
			t.later(wait)
			return nil
		}
		var err error
		if id, err = t.GitHub.findDeployment(ctx, t.app.Spec.Repository, *want); err != nil {
			return err
		}
	}
	if id == 0 {
		var err error
		id, err = t.GitHub.createDeployment(ctx, t.app.Spec.Repository, *want)
		if refusedForGood(err) {
			// The repository has no such commit, say. The comments have it all the same.
			t.Log.WarnContext(ctx, "deployment refused", "release", rel.Name, "commit", want.Ref, "error", err)
			return nil
		}
		if err != nil {
			return err // with the intent recorded: the next call looks for it
		}
	}
	return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentID = id })
}

func (t *thread) grace() time.Duration {
	if t.Grace > 0 {
		return t.Grace
	}
	return defaultGrace
}
