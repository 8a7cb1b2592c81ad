package bot_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
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

func TestCommandDuringAnOutageOfGitHubIsAnswered503AndSweptUpOnce(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.github.Inject(githubtest.Fault{
		Kind: githubtest.BadGateway, Method: "GET", Route: "/repos/{owner}/{repo}/collaborators/{username}/permission",
	})
	c, err := w.repo.Comment(pr.Number, w.writer, "/promote")
	check(t, err)
	d := w.delivered("issue_comment", func(d githubtest.Delivery) bool { return true })
	if d.StatusCode != http.StatusServiceUnavailable || w.only().Spec.Approval != nil {
		t.Fatalf("webhook answered %d, approval %v; want 503 and none", d.StatusCode, w.only().Spec.Approval)
	}
	check(t, w.sweep().Once(t.Context()))
	if w.only().Spec.Approval == nil {
		t.Error("the sweep did not execute the command")
	}
	check(t, w.sweep().Once(t.Context())) // another process: it remembers nothing
	for _, now := range w.repo.Comments(pr.Number) {
		if now.ID == c.ID && reactions(now) != "rocket" {
			t.Errorf("reactions %q, want rocket alone", reactions(now))
		}
	}
	if answers := w.answers(pr.Number); len(answers) != 0 {
		t.Errorf("answers %q after two sweeps, want none", answers)
	}
}

func TestSweepSubmitsAMissedHeadButNeverAFirst(t *testing.T) {
	w := newWorld(t)
	w.app.SetWebhookURL("")
	first, err := w.repo.CommitFiles(githubtest.Commit{Message: "one", Files: githubtest.Text(map[string]string{"a": "1"})})
	check(t, err)
	check(t, w.sweep().Once(t.Context()))
	if n := len(w.all()); n != 0 {
		t.Fatalf("%d releases of an application that never had one, want none", n)
	}
	app := shop()
	_, _, err = w.record.Submit(t.Context(), bot.NewDeploy(&app, first, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush}))
	check(t, err)
	second, err := w.repo.CommitFiles(githubtest.Commit{Message: "two", Files: githubtest.Text(map[string]string{"a": "2"})})
	check(t, err)
	for range 2 {
		check(t, w.sweep().Once(t.Context()))
	}
	if all := w.all(); len(all) != 2 || all[0].Spec.Deploy.Commit != second {
		t.Errorf("%d releases, want that of the missed head and the one before", len(all))
	}
}
