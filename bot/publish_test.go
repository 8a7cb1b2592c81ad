package bot_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// ended is a merged pull request whose release has succeeded.
func ended(w *world) (*githubtest.PullRequest, *v1alpha1.Release) {
	pr, commit := w.merge("feature")
	return pr, w.record.change(v1alpha1.DeployName("shop", commit, 1), func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
}

// untilPublished calls Publish, as a queue does after errors, until it is done.
func untilPublished(t *testing.T, w *world, p *bot.Publisher, name string) {
	t.Helper()
	for range 20 {
		rel := w.record.change(name, func(*v1alpha1.Release) {})
		again, err := p.Publish(t.Context(), rel)
		if err == nil && again == 0 {
			return
		}
	}
	_, err := p.Publish(t.Context(), w.record.change(name, func(*v1alpha1.Release) {}))
	t.Fatalf("not published after 20 calls: %v", err)
}

func TestPublishWritesEachThingOnceAndNothingTwice(t *testing.T) {
	w := newWorld(t)
	_, rel := ended(w)
	before := len(w.github.Requests())
	p := w.publisher()
	untilPublished(t, w, p, rel.Name)
	want := map[string]int{
		"201 POST deployments": 1, "201 POST deployments/{deployment_id}/statuses": 1, "201 POST issues/{issue_number}/comments": 1,
	}
	if diff := cmp.Diff(want, w.arrived(before)); diff != "" {
		t.Errorf("GitHub got (-want +got):\n%s", diff)
	}
	before = len(w.github.Requests())
	untilPublished(t, w, p, rel.Name)
	untilPublished(t, w, w.publisher(), rel.Name) // after a restart too
	if n := len(w.github.Requests()) - before; n != 0 {
		t.Errorf("%d requests though nothing changed, want none", n)
	}
}

func TestLaterSuccessLeavesTheEarlierDeploymentInactive(t *testing.T) {
	w := newWorld(t)
	_, first := ended(w)
	p := w.publisher()
	untilPublished(t, w, p, first.Name)
	pr, commit := w.merge("second")
	second := v1alpha1.DeployName("shop", commit, 1)
	later := metav1.NewTime(time.Now().Add(time.Minute))
	w.record.change(second, func(r *v1alpha1.Release) {
		advance(r, v1alpha1.ReleaseRunning)
		r.Status.Step, r.Status.Milestones.SwitchedAt = v1alpha1.StepSoak, &later
	})
	untilPublished(t, w, p, second)
	if got := states(w.repo.Deployments()[0]); got != "success" {
		t.Errorf("first deployment %q while the second soaks, want success", got)
	}

	restored := w.record.change(second, func(r *v1alpha1.Release) {
		r.Status.Phase, r.Status.Milestones.RestoredAt = v1alpha1.ReleaseFailed, &later
		r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease, Step: v1alpha1.StepSoak, Reason: "Errors", Message: "users saw errors"}
	})
	untilPublished(t, w, p, restored.Name)
	if got := states(w.repo.Deployments()[0]) + " / " + states(w.repo.Deployments()[1]); got != "success / in_progress failure" {
		t.Errorf("after a restore the deployments are %q", got)
	}
	if body := w.answers(pr.Number)[0]; !strings.Contains(body, "live on blue again") {
		t.Errorf("comment %q does not say what is live", body)
	}

	w.record.change(second, func(r *v1alpha1.Release) {
		r.Status.Phase, r.Status.Milestones.RestoredAt, r.Status.Failure = v1alpha1.ReleaseSucceeded, nil, nil
	})
	untilPublished(t, w, p, second)
	if got := states(w.repo.Deployments()[0]); got != "success inactive" {
		t.Errorf("first deployment %q after the second succeeded, want success inactive", got)
	}
	untilPublished(t, w, w.publisher(), first.Name)
	if got := states(w.repo.Deployments()[0]); got != "success inactive" {
		t.Errorf("first deployment %q after another look, want it unchanged", got)
	}
}

func TestACommentOfSomebodyElseWithOurMarkerIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	pr, rel := ended(w)
	forged, err := w.repo.Comment(pr.Number, w.reader, "<!-- turnout:shop/shop -->\nmine")
	check(t, err)
	// The answer is lost, so the bot has to look for the comment.
	n := &network{to: http.DefaultTransport, loses: []asking{createsComment}}
	untilPublished(t, w, w.publisherOver(n), rel.Name)
	if len(n.loses) > 0 {
		t.Error("no answer was lost")
	}
	if got := w.repo.Comments(pr.Number)[0]; got.ID != forged.ID || got.Body != forged.Body || got.Edits != 0 {
		t.Errorf("the forged comment became %+v", got)
	}
	if n := len(w.answers(pr.Number)); n != 1 {
		t.Errorf("%d comments of turnout, want 1", n)
	}
}

func TestNothingIsPublishedWithoutTheGrant(t *testing.T) {
	w := newWorld(t)
	pr, rel := ended(w)
	w.record.granted["shop"] = false
	before := len(w.github.Requests())
	untilPublished(t, w, w.publisher(), rel.Name)
	if n := len(w.github.Requests()) - before; n != 0 {
		t.Errorf("%d requests, want none", n)
	}
	w.record.granted["shop"] = true
	untilPublished(t, w, w.publisher(), rel.Name)
	w.expectOnce(pr.Number)
}
