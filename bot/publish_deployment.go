package bot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// wanted is the deployment that GitHub should show for a release, given the
// others of its application: a success that a later one left behind is inactive.
// GitHub does that by itself for no production environment (REST docs,
// "Inactive deployments"). Nil if there is nothing to show.
func (t *thread) wanted(rel *v1alpha1.Release) *Deployment {
	d := Report(t.app, rel, t.web()).Deployment
	if d == nil || d.State != StateSuccess {
		return d
	}
	if by := t.leftBehindBy(rel); by != nil {
		d.State = StateInactive
		d.Description = truncate(fmt.Sprintf("%s; replaced by %s", d.Description, view{app: t.app, rel: by}.short()), maxDescription)
	}
	return d
}

// leftBehindBy returns the success that moved users away from an earlier one.
// One that was restored is no success, so the earlier stays, or becomes again,
// the one that is live.
func (t *thread) leftBehindBy(rel *v1alpha1.Release) *v1alpha1.Release {
	switched := rel.Status.Milestones.SwitchedAt
	for i := range t.releases {
		other := &t.releases[i]
		if other.UID == rel.UID || other.Status.Phase != v1alpha1.ReleaseSucceeded || other.Status.Milestones.SwitchedAt == nil {
			continue
		}
		if switched == nil || switched.Before(other.Status.Milestones.SwitchedAt) {
			return other
		}
	}
	return nil
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
	shown := strings.TrimSpace(fmt.Sprintf("%s: %s %s", want.State, want.Description, want.LogURL))
	if rel.Status.GitHub.DeploymentState == shown {
		return nil
	}
	if !t.memory.sure(rel.UID) {
		// The last process, or the last call, may have posted it without telling.
		posted, err := t.GitHub.deploymentState(ctx, t.app.Spec.Repository, rel.Status.GitHub.DeploymentID)
		if err != nil {
			return err
		}
		if posted.State == want.State && posted.Description == want.Description && posted.LogURL == want.LogURL {
			return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentState = shown })
		}
	}
	t.memory.doubt(rel.UID)
	if err := t.GitHub.setDeployment(ctx, t.app.Spec.Repository, rel.Status.GitHub.DeploymentID, *want); err != nil {
		return err
	}
	return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentState = shown })
}

// createDeployment creates the deployment of a release once: intent, look,
// create, outcome. An intent without an outcome is from a call that ended early;
// what it made may not be listed yet, so it is waited for first.
func (t *thread) createDeployment(ctx context.Context, rel *v1alpha1.Release, want *Deployment) error {
	if intended := rel.Status.GitHub.DeploymentIntendedAt; intended == nil {
		if err := t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentIntendedAt = timestamp() }); err != nil {
			return err
		}
	} else if wait := t.grace() - time.Since(intended.Time); wait > 0 {
		t.again = wait
		return nil
	}
	id, err := t.GitHub.findDeployment(ctx, t.app.Spec.Repository, *want)
	if err != nil {
		return err
	}
	if id == 0 {
		if id, err = t.GitHub.createDeployment(ctx, t.app.Spec.Repository, *want); err != nil {
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

func (t *thread) web() string {
	if t.Web != "" {
		return strings.TrimSuffix(t.Web, "/")
	}
	return "https://github.com"
}
