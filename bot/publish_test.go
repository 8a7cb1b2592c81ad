package bot_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// ended is a release of a merged pull request that has ended well.
func ended(w *world) (*githubtest.PullRequest, *v1alpha1.Release) {
	pr, commit := w.merge("feature")
	return pr, w.record.change(v1alpha1.DeployName("shop", commit, 1), func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
}

// writes lists what the bot wrote to GitHub, with how often.
func writes(requests []githubtest.Request) map[string]int {
	all := map[string]int{}
	for _, r := range requests {
		if r.Method != "GET" && !strings.Contains(r.Route, "access_tokens") {
			all[r.Method+" "+strings.TrimPrefix(r.Route, "/repos/{owner}/{repo}/")]++
		}
	}
	return all
}

// untilPublished calls Publish, as a queue does after errors, until it is
// content.
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
	got := fmt.Sprint(writes(w.github.Requests()[before:]))
	want := fmt.Sprint(map[string]int{
		"POST deployments": 1, "POST deployments/{deployment_id}/statuses": 1, "POST issues/{issue_number}/comments": 1,
	})
	if got != want {
		t.Errorf("writes %s, want %s", got, want)
	}
	before = len(w.github.Requests())
	untilPublished(t, w, p, rel.Name)
	untilPublished(t, w, w.publisher(), rel.Name) // after a restart too
	if n := len(w.github.Requests()) - before; n != 0 {
		t.Errorf("%d requests though nothing changed, want none", n)
	}
}

// TestPublishSurvivesACrashAtEveryEffect ends the process before and after each
// write, to GitHub and to the record, and lets another one go on.
func TestPublishSurvivesACrashAtEveryEffect(t *testing.T) {
	type crash struct {
		name string
		set  func(w *world)
	}
	var crashes []crash
	for _, at := range []struct{ name, method, route string }{
		{"deployment", "POST", "/repos/{owner}/{repo}/deployments"},
		{"status", "POST", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"},
		{"comment", "POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"},
	} {
		for _, fault := range []githubtest.FaultKind{githubtest.BadGateway, githubtest.ReplyLost} {
			crashes = append(crashes, crash{at.name + ", " + string(fault), func(w *world) {
				w.github.Inject(githubtest.Fault{Kind: fault, Method: at.method, Route: at.route})
			}})
		}
	}
	for n := 1; n <= 8; n++ {
		crashes = append(crashes,
			crash{fmt.Sprintf("before write %d of the record", n), func(w *world) { w.record.before = w.record.writes + n }},
			crash{fmt.Sprintf("after write %d of the record", n), func(w *world) { w.record.after = w.record.writes + n }})
	}
	for _, tt := range crashes {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			pr, rel := ended(w)
			tt.set(w)
			if _, err := w.publisher().Publish(t.Context(), rel); err == nil {
				t.Error("the crash did not show")
			}
			untilPublished(t, w, w.publisher(), rel.Name)
			deployments := w.repo.Deployments()
			if len(deployments) != 1 || states(deployments[0]) != "success" {
				t.Errorf("deployments %+v, want one with one status", deployments)
			}
			if n := len(w.answers(pr.Number)); n != 1 {
				t.Errorf("%d comments, want 1", n)
			}
		})
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
		t.Errorf("first deployment %q, looked at again, want it left alone", got)
	}
}

func TestACommentOfSomebodyElseWithOurMarkerIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	pr, rel := ended(w)
	forged, err := w.repo.Comment(pr.Number, w.reader, "<!-- turnout:shop/shop -->\nmine")
	check(t, err)
	untilPublished(t, w, w.publisher(), rel.Name)
	for _, c := range w.repo.Comments(pr.Number) {
		if c.ID == forged.ID && c.Body != forged.Body {
			t.Errorf("the forged comment became %q", c.Body)
		}
	}
	if n := len(w.answers(pr.Number)); n != 1 {
		t.Errorf("%d comments of our own, want 1", n)
	}
}

func TestNothingIsPublishedWithoutTheGrant(t *testing.T) {
	w := newWorld(t)
	_, rel := ended(w)
	w.record.granted["shop"] = false
	before := len(w.github.Requests())
	untilPublished(t, w, w.publisher(), rel.Name)
	if n := len(w.github.Requests()) - before; n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}
