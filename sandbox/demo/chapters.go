package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// mergeAutomatic is a release without a person.
func (s *story) mergeAutomatic(ctx context.Context) error {
	s.chapter("Merge: build, stage, check and switch, by itself")
	pr, err := s.merge("Greet more kindly", "v1.2.0", nil)
	if err != nil {
		return err
	}
	rel, err := s.follow(ctx, pr, v1alpha1.ReleaseSucceeded)
	if err != nil {
		return err
	}
	if err := s.answers(ctx, "v1.2.0"); err != nil {
		return err
	}
	s.check("users have v1.2.0, by digest", strings.Contains(rel.Status.Milestones.Built.Image, "@sha256:"), rel.Status.Milestones.Built.Image)
	if err := s.proved(ctx, pr); err != nil {
		return err
	}
	return s.deployment(ctx, pr, "success")
}

// mergeManual is a release that waits for a person with the right to approve.
func (s *story) mergeManual(ctx context.Context) error {
	s.chapter("Manual mode: a merge waits for /promote")
	if err := s.setMode(ctx, v1alpha1.PromotionManual); err != nil {
		return err
	}
	pr, err := s.merge("Greet by name", "v1.3.0", nil)
	if err != nil {
		return err
	}
	if _, err := s.follow(ctx, pr, v1alpha1.ReleaseWaiting); err != nil {
		return err
	}
	if err := s.deployment(ctx, pr, "pending"); err != nil {
		return err
	}
	if err := s.refused(ctx, pr, s.reader, "/promote"); err != nil {
		return err
	}
	rel, err := s.releaseOf(ctx, pr)
	if err != nil {
		return err
	}
	s.check("a reader's /promote changes nothing", rel.Spec.Approval == nil && s.load.seen("v1.3.0") == 0, "")
	if err := s.comment(pr, s.writer, "/promote"); err != nil {
		return err
	}
	if _, err := s.follow(ctx, pr, v1alpha1.ReleaseSucceeded); err != nil {
		return err
	}
	if err := s.answers(ctx, "v1.3.0"); err != nil {
		return err
	}
	s.check("a writer's /promote switches", s.load.seen("v1.3.0") > 0, "")
	if err := s.deployment(ctx, pr, "success"); err != nil {
		return err
	}
	if err := s.earlierInactive(ctx, pr); err != nil {
		return err
	}
	if err := s.said(ctx, pr, "### ✅"); err != nil {
		return err
	}
	return s.show(pr)
}

// rollBack is the way back, which works once.
func (s *story) rollBack(ctx context.Context) error {
	s.chapter("Rollback: back within seconds, and only once")
	pr := s.lastMerged()
	before := s.load.seen("v1.2.3")
	asked := time.Now()
	if err := s.comment(pr, s.writer, "/rollback"); err != nil {
		return err
	}
	if err := s.until(ctx, "v1.2.3 answers again", func() (bool, string) {
		return s.load.seen("v1.2.3") > before, "not yet"
	}); err != nil {
		return err
	}
	took := time.Since(asked)
	s.check("back on v1.2.3 within 10 s", took < 10*time.Second, fmt.Sprintf("%.1f s from the comment to the first answer", took.Seconds()))
	if err := s.until(ctx, "the rollback has ended", func() (bool, string) {
		bg, err := s.application(ctx)
		return err == nil && bg.Status.Active == nil && bg.Status.Previous == nil, fmt.Sprint(err)
	}); err != nil {
		return err
	}
	releases, err := s.releases(ctx)
	if err != nil {
		return err
	}
	if err := s.refused(ctx, pr, s.writer, "/rollback"); err != nil {
		return err
	}
	after, err := s.releases(ctx)
	if err != nil {
		return err
	}
	s.check("a second /rollback changes nothing", len(after) == len(releases), "")
	return nil
}

// crash is a version that does not start.
func (s *story) crash(ctx context.Context) error {
	s.chapter("A version that crashes on start")
	pr, err := s.merge("Read the settings first", "v1.4.0",
		replacing("app.py", "def main():\n", "def main():\n    sys.exit(\"settings: DATABASE_URL is not set\")\n"))
	if err != nil {
		return err
	}
	rel, err := s.follow(ctx, pr, v1alpha1.ReleaseFailed)
	if err != nil {
		return err
	}
	s.check("the log line that says why is evidence", slices.ContainsFunc(rel.Status.Failure.Evidence, func(e v1alpha1.Evidence) bool {
		return strings.Contains(e.Log, "DATABASE_URL") && e.ExitCode != nil && *e.ExitCode == 1
	}), rel.Status.Failure.Message)
	if err := s.said(ctx, pr, "DATABASE_URL is not set"); err != nil {
		return err
	}
	return s.deployment(ctx, pr, "failure")
}

// unhealthy is a version that starts, becomes ready, and fails.
func (s *story) unhealthy(ctx context.Context) error {
	s.chapter("A version that is ready, but whose /healthz is wrong")
	pr, err := s.merge("Rework the health page", "v1.5.0",
		replacing("app.py", `{"status": "ok", "version"`, `{"status": "degraded", "version"`))
	if err != nil {
		return err
	}
	rel, err := s.follow(ctx, pr, v1alpha1.ReleaseFailed)
	if err != nil {
		return err
	}
	s.check("the gate's evidence has the answer", rel.Status.Failure.Step == v1alpha1.StepVerify && len(rel.Status.Failure.Evidence) > 0 &&
		strings.Contains(rel.Status.Failure.Evidence[0].Body, "degraded"), rel.Status.Failure.Message)
	if err := s.said(ctx, pr, "degraded"); err != nil {
		return err
	}
	return s.deployment(ctx, pr, "failure")
}

func (s *story) setMode(ctx context.Context, mode v1alpha1.PromotionMode) error {
	bg, err := s.application(ctx)
	if err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"spec":{"promotion":{"mode":%q}}}`, mode)
	if err := s.kube.Patch(ctx, bg, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("setting spec.promotion.mode: %w", err)
	}
	return nil
}

// answers waits until users get a version.
func (s *story) answers(ctx context.Context, version string) error {
	return s.until(ctx, version+" answers", func() (bool, string) { return s.load.seen(version) > 0, "it does not" })
}

// refused comments a command and waits for the refusal.
func (s *story) refused(ctx context.Context, pr *githubtest.PullRequest, by *githubtest.User, command string) error {
	n := len(s.repo.Comments(pr.Number))
	if err := s.comment(pr, by, command); err != nil {
		return err
	}
	var answer string
	err := s.until(ctx, "an answer to "+command, func() (bool, string) {
		comments := s.repo.Comments(pr.Number)
		if len(comments) < n+2 {
			return false, fmt.Sprint(len(comments), " comments")
		}
		answer = comments[len(comments)-1].Body
		return true, ""
	})
	if err != nil {
		return err
	}
	s.check(by.Login+"'s "+command+" is refused, with the reason", answer != "", plain(answer))
	return nil
}
