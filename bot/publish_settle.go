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

// lateFactor is how many times the grace a request may still be carried out after
// nobody waits for its answer: two minutes for the default. GitHub's own servers
// give up on one after 10 s (GitHub docs, "Troubleshooting the REST API").
const lateFactor = 12

// settle looks at GitHub once more after something was written twice, when
// nothing of it can come any more: of what is there twice one is left, and what
// was overwritten by an earlier write is written again.
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
		return nil // something is still to be written: then
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

// settleDeployment takes the release's other deployments out of use, and posts the
// state of its own again if it is another one.
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
		other.State, other.Description = report.StateInactive, fmt.Sprintf("made twice: deployment %d is the one", st.DeploymentID)
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

// settleComment deletes what the application has beside its comment on a pull
// request, and words that one again if it is another text.
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
