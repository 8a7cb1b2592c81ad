package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// maxRefused is how much of a refusal is kept, in characters.
const maxRefused = 300

// wanted is the deployment that GitHub should show for a release, nil if there
// is nothing to show.
func (t *thread) wanted(rel *v1alpha1.Release) *report.Deployment {
	return report.DeploymentOf(t.app, rel, t.around())
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

// deployment makes GitHub show the wanted deployment of a release, unless it
// refused to.
func (t *thread) deployment(ctx context.Context, rel *v1alpha1.Release) error {
	want := t.wanted(rel)
	if want == nil || rel.Status.GitHub.DeploymentRefused != "" {
		return nil
	}
	err := t.showDeployment(ctx, rel, want)
	if !githubapp.RefusedForGood(err) {
		return err
	}
	t.Log.WarnContext(ctx, "deployment refused", "release", rel.Name, "commit", want.Ref, "error", err)
	return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
		s.DeploymentRefused, s.DeploymentStateIntended = prose.Characters(prose.OneLine(githubapp.Answer(err)), maxRefused), ""
	})
}

func (t *thread) showDeployment(ctx context.Context, rel *v1alpha1.Release, want *report.Deployment) error {
	if rel.Status.GitHub.DeploymentID == 0 {
		if err := t.createDeployment(ctx, rel, want); err != nil || rel.Status.GitHub.DeploymentID == 0 {
			return err
		}
	}
	st := rel.Status.GitHub
	if st.DeploymentStateIntended == "" && st.DeploymentState == want.Shown() {
		return nil
	}
	wait := time.Duration(0)
	if want.State == report.StateInProgress {
		wait = unsettled(rel)
	}
	if wait <= 0 {
		wait = t.pace.turn(fmt.Sprintf("deployment %d", st.DeploymentID), t.apart())
	}
	if wait > 0 {
		t.later(wait)
		return nil
	}
	return t.postState(ctx, rel, want)
}

// postState posts a state once: intent, act, outcome. An intent without an
// outcome is from a call that ended early, so GitHub is asked what it has; there
// is nothing to ask otherwise. If it has not got that state, it may still.
func (t *thread) postState(ctx context.Context, rel *v1alpha1.Release, want *report.Deployment) error {
	posted := func(s *v1alpha1.GitHubStatus) { s.DeploymentState, s.DeploymentStateIntended = want.Shown(), "" }
	id, intended := rel.Status.GitHub.DeploymentID, rel.Status.GitHub.DeploymentStateIntended
	doubt := false
	if intended != "" {
		last, err := t.GitHub.DeploymentState(ctx, t.app.Spec.Repository, id)
		if err != nil {
			return err
		}
		if last.Shown() == want.Shown() {
			return t.record(ctx, rel, posted)
		}
		doubt = last.Shown() != intended
	}
	err := t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
		s.DeploymentStateIntended = want.Shown()
		if doubt {
			s.DoubtSince = timestamp()
		}
	})
	if err != nil {
		return err
	}
	if err := t.GitHub.SetDeployment(ctx, t.app.Spec.Repository, id, *want); err != nil {
		return err
	}
	return t.record(ctx, rel, posted)
}

// createDeployment creates the deployment of a release once: intent, act,
// outcome. An intent without an outcome is from a call that ended early; what it
// made may not be listed yet, so it is waited for, and then looked for. If there
// is nothing, it may still come, see [thread.settle].
func (t *thread) createDeployment(ctx context.Context, rel *v1alpha1.Release, want *report.Deployment) error {
	intended := rel.Status.GitHub.DeploymentIntendedAt
	if intended != nil {
		if wait := t.grace() - time.Since(intended.Time); wait > 0 {
			t.later(wait)
			return nil
		}
		made, err := t.GitHub.FindDeployments(ctx, t.app.Spec.Repository, *want)
		if err != nil {
			return err
		}
		if len(made) > 0 {
			return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
				s.DeploymentID = made[0]
				if len(made) > 1 {
					s.DoubtSince = timestamp()
				}
			})
		}
	}
	err := t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
		s.DeploymentIntendedAt = timestamp()
		if intended != nil {
			s.DoubtSince = timestamp()
		}
	})
	if err != nil {
		return err
	}
	id, err := t.GitHub.CreateDeployment(ctx, t.app.Spec.Repository, *want)
	if err != nil {
		return err // with the intent recorded: the next call looks for it
	}
	return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentID = id })
}
