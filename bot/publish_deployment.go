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

// tab is the Deployments tab of the repository.
type tab struct{ t *thread }

// wanted is the deployment that GitHub should show for a release; nil if none.
func (b tab) wanted(rel *v1alpha1.Release) *report.Deployment {
	return report.DeploymentOf(b.t.app, rel, b.t.around())
}

// deployments publishes the release's deployment, then those of other releases that it
// changed.
func (b tab) deployments(ctx context.Context) error {
	if err := b.deployment(ctx, b.t.rel); err != nil {
		return err
	}
	for i := range b.t.releases {
		other := &b.t.releases[i]
		if other.UID == b.t.rel.UID || other.Status.GitHub.DeploymentID == 0 || !settled(other) {
			continue
		}
		if err := b.deployment(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// settled reports whether the deployment shows that users have or had the release. Only
// such deployments change because of another release.
func settled(rel *v1alpha1.Release) bool {
	return rel.Status.Phase == v1alpha1.ReleaseSucceeded && rel.Status.GitHub.DeploymentState != ""
}

// deployment publishes a release's deployment, unless GitHub refused it.
func (b tab) deployment(ctx context.Context, rel *v1alpha1.Release) error {
	want := b.wanted(rel)
	if want == nil || rel.Status.GitHub.DeploymentRefused != "" {
		return nil
	}
	err := b.showDeployment(ctx, rel, want)
	if !githubapp.RefusedForGood(err) {
		return err
	}
	b.t.Log.WarnContext(ctx, "deployment refused", "release", rel.Name, "commit", want.Ref, "error", err)
	return b.t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
		s.DeploymentRefused, s.DeploymentStateIntended = prose.Characters(prose.OneLine(githubapp.Answer(err)), maxRefused), ""
	})
}

func (b tab) showDeployment(ctx context.Context, rel *v1alpha1.Release, want *report.Deployment) error {
	if rel.Status.GitHub.DeploymentID == 0 {
		if err := b.createDeployment(ctx, rel, want); err != nil || rel.Status.GitHub.DeploymentID == 0 {
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
		wait = b.t.pace.turn(fmt.Sprintf("deployment %d", st.DeploymentID), b.t.apart())
	}
	if wait > 0 {
		b.t.later(wait)
		return nil
	}
	return b.postState(ctx, rel, want)
}

// postState posts a state once: intent, act, outcome. An intent without an outcome is from
// a call that ended early. Then it asks GitHub for the present state; that may still
// change, see [thread.settle].
func (b tab) postState(ctx context.Context, rel *v1alpha1.Release, want *report.Deployment) error {
	posted := func(s *v1alpha1.GitHubStatus) { s.DeploymentState, s.DeploymentStateIntended = want.Shown(), "" }
	id, intended := rel.Status.GitHub.DeploymentID, rel.Status.GitHub.DeploymentStateIntended
	doubt := false
	if intended != "" {
		last, err := b.t.GitHub.DeploymentState(ctx, b.t.app.Spec.Repository, id)
		if err != nil {
			return err
		}
		if last.Shown() == want.Shown() {
			b.t.note(rel, posted)
			return nil
		}
		doubt = last.Shown() != intended
	}
	err := b.t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
		s.DeploymentStateIntended = want.Shown()
		if doubt {
			s.DoubtSince = timestamp()
		}
	})
	if err != nil {
		return err
	}
	if err := b.t.GitHub.SetDeployment(ctx, b.t.app.Spec.Repository, id, *want); err != nil {
		return err
	}
	b.t.note(rel, posted)
	return nil
}

// createDeployment creates a release's deployment once: intent, act, outcome. An intent
// without an outcome is from a call that ended early. GitHub may not list its deployment
// yet, so this one waits before it looks. If there is none, it may still appear, see
// [thread.settle].
func (b tab) createDeployment(ctx context.Context, rel *v1alpha1.Release, want *report.Deployment) error {
	intended := rel.Status.GitHub.DeploymentIntendedAt
	if intended != nil {
		if wait := b.t.grace() - time.Since(intended.Time); wait > 0 {
			b.t.later(wait)
			return nil
		}
		made, err := b.t.GitHub.FindDeployments(ctx, b.t.app.Spec.Repository, *want)
		if err != nil {
			return err
		}
		if len(made) > 0 {
			return b.t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
				s.DeploymentID = made[0]
				if len(made) > 1 {
					s.DoubtSince = timestamp()
				}
			})
		}
	}
	now := timestamp()
	err := b.t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
		s.DeploymentIntendedAt = now
		if intended != nil {
			s.DoubtSince = now
		}
	})
	if err != nil {
		return err
	}
	if err := inTime(now); err != nil {
		return err
	}
	id, err := b.t.GitHub.CreateDeployment(ctx, b.t.app.Spec.Repository, *want)
	if err != nil {
		return err // the intent is recorded: the next call looks for it
	}
	b.t.note(rel, func(s *v1alpha1.GitHubStatus) { s.DeploymentID = id })
	return nil
}
