package bot_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

func (w *world) sweep() *bot.Sweep {
	return &bot.Sweep{GitHub: w.client, Record: w.record, Inbox: w.inbox, Log: slog.New(slog.DiscardHandler)}
}

func (w *world) setDown(down bool) {
	w.record.mu.Lock()
	defer w.record.mu.Unlock()
	w.record.down = down
}

func TestPushDuringAnOutageOfKubernetesIsSweptUp(t *testing.T) {
	w := newWorld(t)
	w.setDown(true)
	pr := w.open("feature")
	commit, err := pr.Merge(w.writer)
	check(t, err)
	d := w.delivered("push", func(d githubtest.Delivery) bool { return strings.Contains(string(d.Payload), `"after":"`+commit+`"`) })
	if d.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("webhook answered %d, want 503", d.StatusCode)
	}
	sweep := w.sweep()
	if err := sweep.Once(t.Context()); err == nil {
		t.Error("a sweep without Kubernetes reports success")
	}
	w.setDown(false)
	check(t, sweep.Once(t.Context()))
	w.work(t.Context())
	if rel := w.only(); rel.Name != v1alpha1.DeployName("shop", commit, 1) {
		t.Errorf("release %s, want that of %s", rel.Name, commit)
	}
	before := len(w.github.Requests())
	check(t, sweep.Once(t.Context()))
	for _, r := range w.github.Requests()[before:] {
		if r.Route == "/app/hook/deliveries/{delivery_id}" {
			t.Errorf("the second sweep reads %s again", r.Path)
		}
	}
}

// TestACommandIsNotLostToABadGateway: it is stored before any request to GitHub, and
// retried without a sweep.
func TestACommandIsNotLostToABadGateway(t *testing.T) {
	for _, route := range []struct{ method, path string }{
		{"GET", "/repos/{owner}/{repo}/collaborators/{username}/permission"},
		{"GET", "/repos/{owner}/{repo}/pulls/{pull_number}"},
		{"POST", "/app/installations/{installation_id}/access_tokens"},
	} {
		w := newWorld(t)
		pr, _, _ := released(w)
		w.inbox.GitHub = w.newClient() // without a token
		w.github.Inject(githubtest.Fault{Kind: githubtest.BadGateway, Method: route.method, Route: route.path})
		c := w.say(pr.Number, w.writer, "/rollback")
		d := w.delivered("issue_comment", func(githubtest.Delivery) bool { return true })
		if pending := w.pending(); d.StatusCode != http.StatusAccepted || len(pending) != 1 || pending[0].Status.NextAt == nil ||
			pending[0].Status.Error == "" {
			t.Fatalf("%s: the webhook was answered %d, pending %+v; want 202 and one that will be retried", route.path, d.StatusCode, pending)
		}
		w.work(t.Context())
		if n := len(w.pending()); n != 0 || w.all()[0].Spec.Rollback == nil || w.all()[0].Spec.Cause.CommentID != c.ID {
			t.Errorf("%s: %d deliveries are pending, the newest release is %s; want the rollback", route.path, n, w.all()[0].Name)
		}
		if answers := w.answers(pr.Number); len(answers) != 1 || !strings.Contains(answers[0], "Users return to `v1.0.0`") {
			t.Errorf("%s: answers %q, want one that says what it does", route.path, answers)
		}
	}
}

// TestACommandReceivedInTimeIsNotTooLate: its author is not to blame for GitHub's outage.
// After an hour it is refused, and the refusal says why.
func TestACommandReceivedInTimeIsNotTooLate(t *testing.T) {
	for _, tt := range []struct {
		outage   time.Duration
		executed bool
	}{{40 * time.Minute, true}, {61 * time.Minute, false}} {
		w := newWorld(t)
		pr, _, _ := released(w)
		w.github.Inject(githubtest.Fault{Kind: githubtest.BadGateway, Route: "/repos/{owner}/{repo}/collaborators/{username}/permission"})
		w.say(pr.Number, w.writer, "/rollback")
		d := w.pending()[0]
		d.Spec.ReceivedAt.Time, d.Spec.Comment.WrittenAt.Time = d.Spec.ReceivedAt.Add(-tt.outage),
			d.Spec.Comment.WrittenAt.Add(-tt.outage-time.Minute)
		check(t, w.record.Update(t.Context(), &d))
		w.work(t.Context())
		if executed := w.all()[0].Spec.Rollback != nil; executed != tt.executed {
			t.Errorf("after an outage of %s: executed %v, want %v", tt.outage, executed, tt.executed)
		}
		last := w.lastAnswer(pr.Number)
		if strings.Contains(last, "I was away") || !tt.executed && !strings.Contains(last, "did not answer") {
			t.Errorf("after an outage of %s the answer is %q", tt.outage, last)
		}
	}
}

func TestSweepSubmitsAMissedHeadButNeverAFirst(t *testing.T) {
	w := newWorld(t)
	w.app.SetWebhookURL("")
	first, err := w.repo.CommitFiles(githubtest.Commit{Message: "one", Files: githubtest.Text(map[string]string{"a": "1"})})
	check(t, err)
	check(t, w.sweep().Once(t.Context()))
	if n := len(w.all()); n != 0 {
		t.Fatalf("%d releases of an application that never had a release, want none", n)
	}
	app := bottest.Shop()
	_, _, err = w.record.Submit(t.Context(), command.NewDeploy(&app, first, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush}))
	check(t, err)
	second, err := w.repo.CommitFiles(githubtest.Commit{Message: "two", Files: githubtest.Text(map[string]string{"a": "2"})})
	check(t, err)
	for range 2 {
		check(t, w.sweep().Once(t.Context()))
	}
	if all := w.all(); len(all) != 2 || all[0].Spec.Deploy.Commit != second {
		t.Errorf("%d releases, want that of the missed head and the earlier one", len(all))
	}
}
