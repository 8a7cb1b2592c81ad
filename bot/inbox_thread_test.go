package bot_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// delivery returns the delivery of a command.
func (w *world) delivery(body string) *v1alpha1.Delivery {
	w.t.Helper()
	all, err := w.record.List(w.t.Context())
	check(w.t, err)
	for i := range all {
		if c := all[i].Spec.Comment; c != nil && c.Body == body {
			return &all[i]
		}
	}
	w.t.Fatalf("no delivery has %q", body)
	return nil
}

// typed stores commands in the order in which people typed them.
func (w *world) typed(pr *githubtest.PullRequest, commands ...string) {
	w.t.Helper()
	w.app.SetWebhookURL("")
	for _, c := range commands {
		check(w.t, w.inbox.Handle(w.t.Context(), commentOf(w, pr.Number, w.writer, c)))
	}
}

// try handles a delivery once, and reports whether it is finished.
func (w *world) try(d *v1alpha1.Delivery) bool {
	w.t.Helper()
	_, err := w.inbox.Work(w.t.Context(), d.Name)
	check(w.t, err)
	now, err := w.record.Get(w.t.Context(), d.Name)
	check(w.t, err)
	return now.Status.Phase.Finished()
}

// TestCommandsOfAThreadKeepTheirOrder: the first command cannot be handled at once, and the
// second one waits.
func TestCommandsOfAThreadKeepTheirOrder(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.typed(pr, "/lock", "/unlock")
	lock, unlock := w.delivery("/lock"), w.delivery("/unlock")
	w.github.Inject(githubtest.Fault{Kind: githubtest.BadGateway, Route: "/repos/{owner}/{repo}/collaborators/{username}/permission"})
	if w.try(lock) {
		t.Fatal("the fault did not show")
	}
	if w.try(unlock) {
		t.Error("/unlock did not wait for the /lock before it")
	}
	if !w.try(lock) || w.lock() == nil {
		t.Error("not locked")
	}
	if !w.try(unlock) || w.lock() != nil {
		t.Error("not unlocked")
	}
}

// TestALateCommandDoesNotUndoWhatWasAskedAfterIt: the later command has waited for the
// earlier one as long as it may.
func TestALateCommandDoesNotUndoWhatWasAskedAfterIt(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	app := bottest.Shop()
	check(t, w.record.Lock(t.Context(), keyOf(&app), v1alpha1.Lock{By: "otto"}))
	w.typed(pr, "/lock all", "/unlock")
	lock, unlock := w.delivery("/lock all"), w.delivery("/unlock")
	unlock.Spec.ReceivedAt = metav1.NewMicroTime(time.Now().Add(-2 * time.Minute))
	check(t, w.record.Update(t.Context(), unlock))
	if !w.try(unlock) || w.lock() != nil {
		t.Fatal("not unlocked")
	}
	if now, err := w.record.Get(t.Context(), unlock.Name); err != nil || now.Status.Executed != "unlock shop/shop" {
		t.Errorf("executed %q (%v)", now.Status.Executed, err)
	}
	if !w.try(lock) || w.lock() != nil {
		t.Error("the application is locked, or the command has no answer")
	}
	if answers := w.answers(pr.Number); len(answers) == 0 || !strings.Contains(strings.Join(answers, "\n"), "Nothing was changed") &&
		!strings.Contains(strings.Join(answers, "\n"), "after this was written") {
		t.Errorf("answers %q", answers)
	}
}

// TestALateRetryDoesNotUndoACancel: neither the releases nor the application show which
// command was typed first.
func TestALateRetryDoesNotUndoACancel(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.typed(pr, "/retry", "/cancel")
	retry, cancel := w.delivery("/retry"), w.delivery("/cancel")
	cancel.Spec.ReceivedAt = metav1.NewMicroTime(time.Now().Add(-2 * time.Minute))
	check(t, w.record.Update(t.Context(), cancel))
	if !w.try(cancel) || w.only().Spec.Cancel == nil {
		t.Fatal("not cancelled")
	}
	w.record.change(w.only().Name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseCancelled) })
	if !w.try(retry) {
		t.Error("/retry never ends")
	}
	if n := len(w.all()); n != 1 {
		t.Errorf("%d releases, want only the cancelled one", n)
	}
	if last := w.answers(pr.Number); len(last) == 0 || !strings.Contains(last[len(last)-1], "`/cancel` was requested later") {
		t.Errorf("answers %q, want the reason for not doing it", last)
	}
}

// TestALateRetryDoesNotUndoARollback: the rollback does not wait for it.
func TestALateRetryDoesNotUndoARollback(t *testing.T) {
	w := newWorld(t)
	pr, before, after := released(w)
	w.typed(pr, "/retry", "/rollback")
	if !w.try(w.delivery("/rollback")) || w.all()[0].Spec.Rollback == nil {
		t.Fatal("not rolled back")
	}
	rel := w.record.change(w.all()[0].Name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
	app := bottest.Shop()
	app.Status = v1alpha1.BlueGreenStatus{Live: &before, LastSwitch: &v1alpha1.SwitchRecord{
		Release: rel.Name, UID: string(rel.UID), Kind: "Rollback", From: after, To: before,
	}}
	w.record.add(app)
	if !w.try(w.delivery("/retry")) {
		t.Error("/retry never ends")
	}
	if n := len(w.all()); n != 2 {
		t.Errorf("%d releases, want the deploy and its rollback", n)
	}
	if last := w.answers(pr.Number); len(last) == 0 || !strings.Contains(last[len(last)-1], "`/rollback` was requested later") {
		t.Errorf("answers %q, want the reason for not doing it", last)
	}
}

// TestARollbackWaitsForNoOtherCommand: and a stranger's answered command blocks nobody.
func TestARollbackWaitsForNoOtherCommand(t *testing.T) {
	w := newWorld(t)
	pr, _, _ := released(w)
	w.typed(pr, "/lock", "/rollback")
	if !w.try(w.delivery("/rollback")) {
		t.Error("/rollback waited")
	}
	n := 0
	for _, rel := range w.all() {
		if rel.Spec.Rollback != nil {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d rollbacks", n)
	}
	if !w.try(w.delivery("/lock")) || w.lock() == nil {
		t.Error("the /lock was not done")
	}
}
