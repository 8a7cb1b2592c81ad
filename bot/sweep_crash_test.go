package bot_test

import (
	"context"
	"errors"
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

// sweeping is a world in which webhooks were lost, and the sweep that finds them.
type sweeping struct {
	*world
	pr       *githubtest.PullRequest
	approved string // the release that the lost command approves
	commit   string // of the lost push
	outdated string // a delivery that is to be deleted
}

// newSweeping: while Kubernetes did not answer, somebody typed /promote, and somebody pushed. A
// command of last month is beyond what is kept.
func newSweeping(t *testing.T) *sweeping {
	t.Helper()
	w := newWorld(t)
	pr, rel := waiting(w)
	w.forgetDeliveries()
	check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, w.writer, "/status")))
	w.work(t.Context())
	all, err := w.record.List(t.Context())
	check(t, err)
	old := &all[0]
	old.Status.FinishedAt = &metav1.Time{Time: time.Now().Add(-2 * v1alpha1.KeptFor)}
	check(t, w.record.Update(t.Context(), old))

	w.setDown(true)
	w.say(pr.Number, w.writer, "/promote")
	commit, err := w.open("feature").Merge(w.writer)
	check(t, err)
	d := w.delivered("push", func(d githubtest.Delivery) bool { return strings.Contains(string(d.Payload), `"after":"`+commit+`"`) })
	if d.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("the push was answered %d, want 503", d.StatusCode)
	}
	w.app.SetWebhookURL("")
	w.setDown(false)
	return &sweeping{world: w, pr: pr, approved: rel.Name, commit: commit, outdated: old.Name}
}

// sweepOnce sweeps in a process, and handles what that found.
func (w *sweeping) sweepOnce(in *bot.Inbox, ctx context.Context, l *life) error { //nolint:revive // the process, and then what it runs in
	s := w.sweep()
	s.Inbox, s.Record, s.GitHub = in, l, in.GitHub
	return s.Once(ctx)
}

// expectSwept checks that everything was found, once.
func (w *sweeping) expectSwept() {
	w.t.Helper()
	for range 5 {
		w.work(w.t.Context())
	}
	approved, pushed := 0, 0
	for _, rel := range w.all() {
		if rel.Name == w.approved && rel.Spec.Approval != nil {
			approved++
		}
		if rel.Spec.Deploy.Commit == w.commit {
			pushed++
		}
	}
	if approved != 1 || pushed != 1 || len(w.all()) != 2 || len(w.pending()) != 0 {
		w.t.Errorf("%d approvals, %d releases of the push, %d releases, %d deliveries pending; want 1, 1, 2, and none", approved, pushed,
			len(w.all()), len(w.pending()))
	}
}

// TestASweepSurvivesACrashAtEveryWrite: whatever a webhook lost is found once, whichever write of the
// sweep fails, is the last of its process, or arrives after another process has swept.
func TestASweepSurvivesACrashAtEveryWrite(t *testing.T) {
	var quiet life
	w := newSweeping(t)
	in, ctx := w.born(&quiet)
	check(t, w.sweepOnce(in, ctx, &quiet))
	if diff := cmp.Diff([]string{"put", "put", "submit", "delete"}, quiet.seen); diff != "" {
		t.Fatalf("the writes are (-want +got):\n%s", diff)
	}
	w.expectSwept()
	for i := range quiet.seen {
		for _, l := range []*life{
			{effects: effects{nth: i + 1, with: true, crash: true}}, {effects: effects{nth: i + 1}}, {effects: effects{nth: i + 1, with: true}},
		} {
			t.Run(l.cell(), func(t *testing.T) {
				t.Parallel()
				w := newSweeping(t)
				in, ctx := w.born(l)
				err := w.sweepOnce(in, ctx, l)
				if l.spoiled() == "" || err == nil {
					t.Fatalf("no write was spoiled (%v); the writes are %q", err, l.seen)
				}
				if l.crash {
					l = &life{}
					in, ctx = w.born(l)
				}
				check(t, w.sweepOnce(in, ctx, l))
				w.expectSwept()
			})
		}
		t.Run(lateWrite+quiet.seen[i], func(t *testing.T) {
			t.Parallel()
			newSweeping(t).comesLate(i + 1)
		})
	}
}

// comesLate sweeps with a process that is stuck before a write until another one has swept, and
// GitHub has delivered the outdated command again.
func (w *sweeping) comesLate(nth int) {
	w.t.Helper()
	stuck := &life{effects: effects{nth: nth, late: newHold()}}
	slow, ctx := w.born(stuck)
	ended := make(chan error)
	go func() { ended <- w.sweepOnce(slow, ctx, stuck) }()
	<-stuck.late.reached
	next := &life{}
	in, ctx := w.born(next)
	check(w.t, w.sweepOnce(in, ctx, next))
	w.expectSwept()
	again := &v1alpha1.Delivery{ObjectMeta: metav1.ObjectMeta{Name: w.outdated}}
	_, err := w.record.Put(w.t.Context(), again)
	check(w.t, err)
	close(stuck.late.goOn)
	check(w.t, <-ended)
	if _, err := w.record.Get(w.t.Context(), w.outdated); errors.Is(err, bot.ErrNotFound) {
		w.t.Error("what was delivered again is lost: a late deletion took it")
	}
	w.expectSwept()
}
