package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// cancel stops a release while Cloud Build works on it.
func (s *story) cancel(ctx context.Context) error {
	s.chapter("Cancel: a release is stopped during its build")
	pr, err := s.merge("Greet after a long build", "v1.2.1",
		replacing("cloudbuild.yaml", "steps:\n", "steps:\n- {name: ubuntu, args: [sleep, '60']}\n"))
	if err != nil {
		return err
	}
	var rel *v1alpha1.Release
	if err := s.until(ctx, "Cloud Build works on it", func() (bool, string) {
		if rel, err = s.releaseOf(ctx, pr); err != nil || rel == nil || rel.Status.Build == nil {
			return false, fmt.Sprint("no build: ", err)
		}
		return rel.Status.Build.State == cloudbuildpb.Build_WORKING.String(), rel.Status.Build.State
	}); err != nil {
		return err
	}
	asked := time.Now()
	if err := s.comment(pr, s.writer, "/cancel"); err != nil {
		return err
	}
	if rel, err = s.follow(ctx, pr, v1alpha1.ReleaseCancelled); err != nil {
		return err
	}
	took := time.Since(asked)
	s.check("cancelled within 10 s, of a build that takes a minute", took < 10*time.Second, fmt.Sprintf("%.1f s", took.Seconds()))
	state := s.buildState(rel)
	s.check("Cloud Build stopped working on it", state == cloudbuildpb.Build_CANCELLED.String(), state)
	return s.deployment(ctx, pr, "inactive")
}

// buildState is Cloud Build's status of a release's build.
func (s *story) buildState(rel *v1alpha1.Release) string {
	b := rel.Status.Build
	for _, build := range s.World.CloudBuild.Builds(b.Project, b.Location) {
		if build.GetId() == b.ID {
			return build.GetStatus().String()
		}
	}
	return "unknown"
}

// lock keeps two merges waiting. The newer one replaces the older, and continues by itself after
// the unlock.
func (s *story) lock(ctx context.Context) error {
	s.chapter("Lock: merges wait, the newest takes the others' place, and goes on by itself")
	if err := s.comment(s.lastMerged(), s.writer, "/lock the invoices are being written"); err != nil {
		return err
	}
	if err := s.locked(ctx, true); err != nil {
		return err
	}
	first, err := s.merge("Greet in Spanish", "v1.2.2", nil)
	if err != nil {
		return err
	}
	if err := s.waitsBehindTheLock(ctx, first); err != nil {
		return err
	}
	second, err := s.merge("Greet in French", "v1.2.3", nil)
	if err != nil {
		return err
	}
	old, err := s.follow(ctx, first, v1alpha1.ReleaseSuperseded)
	if err != nil {
		return err
	}
	if err := s.waitsBehindTheLock(ctx, second); err != nil {
		return err
	}
	s.check("the newer merge took the older one's place",
		strings.HasPrefix(old.Status.SupersededBy, application+"-"+second.MergeCommit()[:12]), old.Status.SupersededBy)
	if err := s.comment(second, s.writer, "/unlock"); err != nil {
		return err
	}
	if err := s.locked(ctx, false); err != nil {
		return err
	}
	if _, err := s.follow(ctx, second, v1alpha1.ReleaseSucceeded); err != nil {
		return err
	}
	if err := s.answers(ctx, "v1.2.3"); err != nil {
		return err
	}
	if err := s.deployment(ctx, first, "inactive"); err != nil {
		return err
	}
	return s.said(ctx, first, v1alpha1.ShortCommit(second.MergeCommit()))
}

// locked waits until the application is locked, or unlocked.
func (s *story) locked(ctx context.Context, want bool) error {
	return s.until(ctx, fmt.Sprint("locked: ", want), func() (bool, string) {
		bg, err := s.application(ctx)
		return err == nil && (bg.Status.Lock != nil) == want, fmt.Sprint(err)
	})
}

// waitsBehindTheLock waits until a merge's release names the person who locked the application,
// in the cluster and on its pull request.
func (s *story) waitsBehindTheLock(ctx context.Context, pr *githubtest.PullRequest) error {
	var message string
	if err := s.until(ctx, "the release waits behind the lock", func() (bool, string) {
		rel, err := s.releaseOf(ctx, pr)
		if err != nil || rel == nil {
			return false, fmt.Sprint("no release: ", err)
		}
		message = rel.Status.Message
		return rel.Status.Phase == v1alpha1.ReleaseQueued && strings.Contains(message, "locked by "+s.writer.Login), message
	}); err != nil {
		return err
	}
	s.check(fmt.Sprintf("#%d waits, and says for whom", pr.Number), strings.Contains(message, "the invoices are being written"), message)
	return s.said(ctx, pr, "the invoices are being written")
}
