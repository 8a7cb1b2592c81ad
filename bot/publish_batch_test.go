package bot_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// group opens pull requests with some commits each and merges them in one push.
func (w *world) group(method githubtest.MergeMethod, n, commits int) (prs []*githubtest.PullRequest, head string, closed func()) {
	w.t.Helper()
	for i := range n {
		branch := fmt.Sprintf("group-%d", i)
		for _, file := range []string{branch, branch + ".more"}[:commits] {
			_, err := w.repo.CommitFiles(githubtest.Commit{
				Branch: branch, Message: "Change " + file, Author: w.writer, Files: githubtest.Text(map[string]string{file: "x"}),
			})
			check(w.t, err)
		}
		pr, err := w.repo.OpenPullRequest(githubtest.NewPullRequest{Title: branch, Head: branch, Author: w.writer})
		check(w.t, err)
		prs = append(prs, pr)
	}
	head, closed, err := w.repo.MergeTogether(w.writer, method, prs...)
	check(w.t, err)
	w.delivered("push", func(d githubtest.Delivery) bool { return strings.Contains(string(d.Payload), `"after":"`+head+`"`) })
	return prs, head, closed
}

// asked counts the requests of a route since the nth request.
func (w *world) asked(since int, route string) int {
	n := 0
	for _, r := range w.github.Requests()[since:] {
		if strings.HasSuffix(r.Route, route) {
			n++
		}
	}
	return n
}

const (
	pullsOfCommit = "/commits/{commit_sha}/pulls"
	compare       = "/compare/{basehead}"
)

// TestEveryPullRequestOfOnePushHears: a merge queue pushes a group of pull requests at
// once.
func TestEveryPullRequestOfOnePushHears(t *testing.T) {
	for name, tt := range map[string]struct {
		method githubtest.MergeMethod
		merges int // pull requests in the group
		asks   int // requests for pull requests
	}{
		"merge commits":  {githubtest.MergeCommit, 3, 3},
		"squashes":       {githubtest.Squash, 3, 3},
		"rebases":        {githubtest.Rebase, 3, 3},
		"a rebase alone": {githubtest.Rebase, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before, _ := w.merge("before") // has a release of its own
			stranger := w.open("stranger") // only mentioned
			_, err := w.repo.CommitFiles(githubtest.Commit{
				Branch: "group-0", Author: w.writer, Files: githubtest.Text(map[string]string{"z": "z"}),
				Message: fmt.Sprintf("Merge pull request #%d from acme/stranger (#%d)", stranger.Number, stranger.Number),
			})
			check(t, err)
			start := len(w.github.Requests())
			prs, head, closed := w.group(tt.method, tt.merges, 2)
			closed()
			name := v1alpha1.DeployName("shop", head, 1)
			w.record.change(name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
			untilPublished(t, w, w.publisher(), name)
			for _, pr := range prs {
				if answers := w.answers(pr.Number); len(answers) != 1 || !strings.Contains(answers[0], "`"+v1alpha1.ShortCommit(head)+"` is live") {
					t.Errorf("#%d gets the comments %q", pr.Number, answers)
				}
			}
			for _, pr := range []*githubtest.PullRequest{before, stranger} {
				if answers := w.answers(pr.Number); len(answers) > 0 {
					t.Errorf("#%d, which the release does not contain, gets %q", pr.Number, answers)
				}
			}
			if asks, compares := w.asked(start, pullsOfCommit), w.asked(start, compare); asks != tt.asks || compares != 1 {
				t.Errorf("%d commits were looked up and %d compares sent, want %d and 1:\n%s", asks, compares, tt.asks,
					count(w.github.Requests()[start:]))
			}

			// A rollback may leave each of them, and each gets that news too.
			app := bottest.Shop()
			back := w.rollback(app, head, before.MergeCommit())
			start = len(w.github.Requests())
			untilPublished(t, w, w.publisher(), back)
			for _, pr := range prs {
				if body := w.answers(pr.Number)[0]; !strings.Contains(body, "rolled back, `"+before.MergeCommit()[:7]) {
					t.Errorf("#%d does not report the rollback:\n%s", pr.Number, body)
				}
			}
			if asks := w.asked(start, pullsOfCommit); asks != 0 {
				t.Errorf("%d commits were looked up again, though their pull requests are recorded", asks)
			}
		})
	}
}

// rollback records a successful rollback from one commit to another.
func (w *world) rollback(app v1alpha1.BlueGreen, from, to string) string {
	w.t.Helper()
	rel := bottest.GoesBack(bottest.ComesBack).Rel
	rel.Namespace, rel.UID = app.Namespace, ""
	rel.Spec.Rollback.From.Commit, rel.Spec.Rollback.To.Commit = from, to
	rel.Spec.Cause.PullRequest, rel.Spec.Cause.CommentID = 0, 0
	_, _, err := w.record.Submit(w.t.Context(), rel)
	check(w.t, err)
	status, at := rel.Status, metav1.NewTime(time.Now().Add(time.Minute))
	status.Milestones.SwitchedAt, status.FinishedAt = &at, &at
	w.record.change(rel.Name, func(r *v1alpha1.Release) { r.Status = status })
	return rel.Name
}

// TestPullRequestsThatGitHubKnowsLateHear: a group is pushed first, and its pull requests
// are closed a moment later. Not every look asks GitHub again.
func TestPullRequestsThatGitHubKnowsLateHear(t *testing.T) {
	w := newWorld(t)
	prs, head, closed := w.group(githubtest.Squash, 3, 2)
	w.app.SetWebhookURL("")
	name := v1alpha1.DeployName("shop", head, 1)
	start := len(w.github.Requests())
	synctest.Test(t, func(t *testing.T) {
		l := w.leader(t)
		w.record.change(name, func(r *v1alpha1.Release) { r.CreationTimestamp = *now() })
		for range 6 {
			l.happens(name, bottest.Building)
			l.pass(500 * time.Millisecond)
		}
		closed()
		l.pass(time.Minute)
	})
	for _, pr := range prs {
		if answers := w.answers(pr.Number); len(answers) != 1 {
			t.Errorf("#%d gets the comments %q", pr.Number, answers)
		}
	}
	if asks, compares := w.asked(start, pullsOfCommit), w.asked(start, compare); asks != 6 || compares != 1 {
		t.Errorf("%d commits were looked up and %d compares sent, want 6, twice each, and 1", asks, compares)
	}
}

// TestBatchBeyondTheCapSaysSo: the newest pull requests get a comment.
func TestBatchBeyondTheCapSaysSo(t *testing.T) {
	w := newWorld(t)
	prs, head, closed := w.group(githubtest.Squash, 32, 1)
	closed()
	name := v1alpha1.DeployName("shop", head, 1)
	w.record.change(name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
	start := len(w.github.Requests())
	p := w.publisher()
	untilPublished(t, w, p, name)
	if asks := w.asked(start, pullsOfCommit); asks != 30 {
		t.Errorf("%d commits were looked up, want 30", asks)
	}
	heard := 0
	for _, pr := range prs {
		for _, body := range w.answers(pr.Number) {
			heard++
			if !strings.Contains(body, "This push merged more pull requests than Turnout looks for: it comments on 30 of them") {
				t.Errorf("#%d does not say that other pull requests are left out:\n%s", pr.Number, body)
			}
		}
	}
	if newest := w.answers(prs[31].Number); heard != 30 || len(newest) != 1 {
		t.Errorf("%d pull requests get the report, want 30; the newest gets %q", heard, newest)
	}
}

// TestReleaseWithoutAPushFindsWhatItBrings: it compares with the release before.
func TestReleaseWithoutAPushFindsWhatItBrings(t *testing.T) {
	w := newWorld(t)
	w.merge("before")
	prs, head, closed := w.group(githubtest.MergeCommit, 2, 2)
	closed()
	name := v1alpha1.DeployName("shop", head, 1)
	w.record.change(name, func(r *v1alpha1.Release) {
		advance(r, v1alpha1.ReleaseRunning)
		r.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "ops"} // like the sweep's and a workflow's
	})
	untilPublished(t, w, w.publisher(), name)
	for _, pr := range prs {
		if answers := w.answers(pr.Number); len(answers) != 1 {
			t.Errorf("#%d gets the comments %q", pr.Number, answers)
		}
	}
}
