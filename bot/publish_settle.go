package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
)

// lateFactor times the grace is how long a request may still be executed after its caller
// gave up: two minutes by default. GitHub's servers give up on a request after 10 s (GitHub
// docs, "Troubleshooting the REST API").
const lateFactor = 12

// settle looks at GitHub again after something was written twice, as soon as no request can
// arrive late any more. It removes duplicates, and writes again what an earlier request has
// overwritten.
func (t *thread) settle(ctx context.Context) error {
	since := t.rel.Status.GitHub.DoubtSince
	if since == nil {
		return nil
	}
	if wait := lateFactor*t.grace() - time.Since(since.Time); wait > 0 {
		t.later(wait)
		return nil
	}
	if t.again > 0 {
		return nil // something is still to be written: settle after that
	}
	errs := []error{tab{t}.settleDeployment(ctx)}
	for _, c := range t.rel.Status.GitHub.Comments {
		errs = append(errs, talk{t}.settleComment(ctx, c.PullRequest))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return t.record(ctx, t.rel, func(s *v1alpha1.GitHubStatus) { s.DoubtSince = nil })
}

// settleDeployment sets the release's duplicate deployments inactive, and posts the state
// of its own again if it differs.
func (b tab) settleDeployment(ctx context.Context) error {
	st, want, repository := b.t.rel.Status.GitHub, b.wanted(b.t.rel), b.t.app.Spec.Repository
	if want == nil || st.DeploymentID == 0 || st.DeploymentRefused != "" {
		return nil
	}
	made, err := b.t.GitHub.FindDeployments(ctx, repository, *want)
	if err != nil {
		return err
	}
	for _, id := range made {
		if id == st.DeploymentID {
			continue
		}
		other := *want
		other.State, other.Description = report.StateInactive, fmt.Sprintf("duplicate of deployment %d", st.DeploymentID)
		if err := b.ensureState(ctx, id, other); err != nil {
			return err
		}
		b.t.Log.InfoContext(ctx, "second deployment of a release set inactive", "release", b.t.rel.Name, "deployment", id, "instead",
			st.DeploymentID)
	}
	return b.ensureState(ctx, st.DeploymentID, *want)
}

// ensureState posts a state unless it is the last one.
func (b tab) ensureState(ctx context.Context, id int64, want report.Deployment) error {
	last, err := b.t.GitHub.DeploymentState(ctx, b.t.app.Spec.Repository, id)
	if err != nil || last.Shown() == want.Shown() {
		return err
	}
	return b.t.GitHub.SetDeployment(ctx, b.t.app.Spec.Repository, id, want)
}

// settleComment deletes duplicates of the application's comment on a pull request, and
// writes its text again if it differs.
func (k talk) settleComment(ctx context.Context, number int) error {
	d, ok := k.t.draft(number)
	known := k.knownComment(number, k.t.rel)
	if !ok || known.id == 0 {
		return nil
	}
	all, err := k.t.GitHub.OwnComments(ctx, k.t.app.Spec.Repository, number, marker(k.t.app))
	if err != nil {
		return err
	}
	for _, c := range all {
		switch {
		case c.ID == known.id && c.Body != d.body:
			_, err = k.t.GitHub.EditComment(ctx, k.t.app.Spec.Repository, c.ID, d.body)
		case c.ID != known.id:
			err = k.t.GitHub.DeleteComment(ctx, k.t.app.Spec.Repository, c.ID)
			k.t.Log.InfoContext(ctx, "second comment deleted",
				"release", k.t.rel.Name, "pull_request", number, "comment", c.ID, "instead", known.id, "error", err)
		}
		if err != nil && !githubapp.RefusedForGood(err) {
			return err
		}
	}
	return nil
}
