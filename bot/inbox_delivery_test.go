package bot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// commentOf is the event of a comment written just now.
func commentOf(w *world, pr int, who *githubtest.User, body string) bot.Event {
	account := bot.Account{ID: who.ID, Login: who.Login, Type: "User"}
	defer w.app.SetWebhookURL(w.app.SetWebhookURL(""))
	c, err := w.repo.Comment(pr, who, body)
	check(w.t, err)
	return bot.Event{Delivery: fmt.Sprint("guid-", c.ID), Name: "issue_comment.created", Comment: &bot.Comment{
		ID: c.ID, Repository: "acme/shop", PullRequest: pr, Body: body, URL: "https://github.com/acme/shop/pull/1#issuecomment-1",
		Author: account, Sender: account, WrittenAt: time.Now(),
	}}
}

// pushOf is the event of a push.
func pushOf(before, commit string) bot.Event {
	return bot.Event{Delivery: "guid", Name: "push", Push: &bot.Push{
		Repository: "acme/shop", Branch: "main", Commit: commit, Before: before, Actor: "wanda",
		URL: "https://github.com/acme/shop/commit/" + commit,
	}}
}

func TestOnlyWhatMustBeHandledIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.app.SetWebhookURL("")
	w.forgetDeliveries()
	viaApp := func(e bot.Event) bot.Event { e.Comment.ViaApp = 77; return e }
	elsewhere := func(e bot.Event) bot.Event { e.Push.Branch = "topic"; return e }
	for _, tt := range []struct {
		name  string
		event bot.Event
		want  int
	}{
		{"a command", commentOf(w, pr.Number, w.writer, "/promote"), 1},
		{"a mistyped one", commentOf(w, pr.Number, w.writer, "/promtoe"), 1},
		{"talk", commentOf(w, pr.Number, w.writer, "I would /promote this\n/lgtm"), 0},
		{"a person's command through an App", viaApp(commentOf(w, pr.Number, w.writer, "/promote")), 0},
		{"a push", pushOf(bottest.Hash("a"), bottest.Hash("b")), 1},
		{"the branch set back to where it was", pushOf(bottest.Hash("b"), bottest.Hash("a")), 1},
		{"a push to a branch that nobody follows", elsewhere(pushOf(bottest.Hash("a"), bottest.Hash("b"))), 0},
		{"a ping", bot.Event{Name: "ping"}, 0},
	} {
		writes, requests := w.record.writes, len(w.github.Requests())
		check(t, w.inbox.Handle(t.Context(), tt.event))
		if got := w.record.writes - writes; got != tt.want {
			t.Errorf("%s: %d writes, want %d", tt.name, got, tt.want)
		}
		tt.event.Delivery = "another id"
		check(t, w.inbox.Handle(t.Context(), tt.event))
		if got := w.record.writes - writes; got != tt.want {
			t.Errorf("%s again, with another delivery id: %d writes, want %d", tt.name, got, tt.want)
		}
		if n := len(w.github.Requests()) - requests; n != 0 {
			t.Errorf("%s: %d requests to GitHub before the delivery is recorded", tt.name, n)
		}
	}
	w.inbox.TrustedApps = []int64{77}
	writes := w.record.writes
	check(t, w.inbox.Handle(t.Context(), viaApp(commentOf(w, pr.Number, w.writer, "/promote"))))
	if w.record.writes != writes+1 {
		t.Error("a command through a trusted App is not recorded")
	}
}

func TestTheFieldsOfADeliveryAreBounded(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.app.SetWebhookURL("")
	w.forgetDeliveries()
	e := commentOf(w, pr.Number, w.writer, "/promote\n"+strings.Repeat("x", 60000))
	e.Delivery, e.Comment.URL = strings.Repeat("d", 1<<20), "https://"+strings.Repeat("u", 1<<20)
	check(t, w.inbox.Handle(t.Context(), e))
	raw, err := json.Marshal(w.pending()[0])
	check(t, err)
	if len(raw) > 2000 {
		t.Errorf("it takes %d bytes", len(raw))
	}
	w.work(t.Context())
	if last := w.lastAnswer(pr.Number); w.only().Spec.Approval != nil || !strings.Contains(last, "8 KB") ||
		!strings.Contains(last, "of its own") {
		t.Errorf("a long comment is answered %q", last)
	}
	n := len(w.answers(pr.Number))
	check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, w.reader, "/promote\n"+strings.Repeat("x", 60000))))
	w.work(t.Context())
	if len(w.answers(pr.Number)) != n {
		t.Errorf("a stranger's long comment is answered %q", w.lastAnswer(pr.Number))
	}
	for _, d := range w.record.deliveries {
		if d.Spec.Comment.Body != "" {
			t.Errorf("the comment's text is kept after it was handled: %q", d.Spec.Comment.Body)
		}
	}
}

func TestAReplayUnderAnotherIDIsHandledOnce(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	for _, body := range []string{"/status", "/promote", "/promote $(x)"} {
		c := w.say(pr.Number, w.writer, body)
		answers, requests := len(w.answers(pr.Number)), len(w.github.Requests())
		d := w.delivered("issue_comment", func(d githubtest.Delivery) bool {
			return d.Action == "created" && strings.Contains(string(d.Payload), fmt.Sprintf(`"id":%d,`, c.ID))
		})
		for i := range 5 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.hooks.URL, bytes.NewReader(d.Payload))
			check(t, err)
			req.Header = http.Header{
				"Content-Type": {"application/json"}, "X-Github-Event": {"issue_comment"}, "X-Github-Delivery": {fmt.Sprint("replay-", i)},
				"X-Hub-Signature-256": {bot.Sign(secret, d.Payload)},
			}
			resp, err := http.DefaultClient.Do(req)
			check(t, err)
			check(t, resp.Body.Close())
			if resp.StatusCode != http.StatusAccepted {
				t.Errorf("%s replayed is answered %d", body, resp.StatusCode)
			}
		}
		if n := len(w.answers(pr.Number)) - answers; n != 0 || len(w.github.Requests()) != requests {
			t.Errorf("after 5 replays of %s: %d more comments, %d requests to GitHub", body, n, len(w.github.Requests())-requests)
		}
	}
}

// TestAPushOverManyApplicationsIsOneWrite: there is one write before the 202, and
// submitting continues where it stopped.
func TestAPushOverManyApplicationsIsOneWrite(t *testing.T) {
	record := newRecord()
	for i := range 200 {
		app := bottest.Shop()
		app.Name = fmt.Sprintf("shop-%d", i)
		record.add(app)
	}
	w := &world{t: t, record: record}
	in := w.process()
	check(t, in.Handle(t.Context(), pushOf(bottest.Hash("a"), bottest.Hash("b"))))
	if record.writes != 1 || len(record.releases) != 0 {
		t.Fatalf("%d writes and %d releases before the 202, want one and none", record.writes, len(record.releases))
	}
	name := w.pending()[0].Name
	record.before = 101
	_, err := in.Work(t.Context(), name)
	check(t, err)
	if n := len(record.releases); n != 199 {
		t.Errorf("%d releases, want 199: one could not be written", n)
	}
	_, err = in.Work(t.Context(), name)
	check(t, err)
	if n := len(record.releases); n != 200 || len(w.pending()) != 0 {
		t.Errorf("%d releases, %d deliveries pending; want 200 and none", n, len(w.pending()))
	}
}

// broken is a record that fails as told when a command reads the application.
type broken struct {
	*memoryRecord
	look func()
}

func (b *broken) Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	b.look()
	return b.memoryRecord.Application(ctx, key)
}

func TestADeliveryThatPanicsThreeTimesIsQuarantined(t *testing.T) {
	for _, panics := range []int{1, 2, 3} {
		w := newWorld(t)
		pr, _ := waiting(w)
		n := 0
		w.inbox.Record = &broken{w.record, func() {
			if n++; n <= panics {
				panic("boom")
			}
		}}
		var told []v1alpha1.DeliveryPhase
		w.inbox.Settled = func(d *v1alpha1.Delivery) { told = append(told, d.Status.Phase) }
		w.say(pr.Number, w.writer, "/promote")
		for range 5 {
			w.work(t.Context())
		}
		want := v1alpha1.DeliveryDone
		if panics == 3 {
			want = v1alpha1.DeliveryQuarantined
		}
		if approved := w.only().Spec.Approval != nil; approved != (panics < 3) || !slices.Equal(told, []v1alpha1.DeliveryPhase{want}) {
			t.Errorf("after %d panics: approved %v, answered %q; want %s", panics, approved, told, want)
		}
	}
}

// TestADeliveryThatEndsTheProcessIsQuarantined: each process begins an attempt and dies.
// One or two deaths may be a SIGKILL's.
func TestADeliveryThatEndsTheProcessIsQuarantined(t *testing.T) {
	for _, deaths := range []int{1, 2, 3} {
		w := newWorld(t)
		pr, _ := waiting(w)
		w.app.SetWebhookURL("")
		check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, w.writer, "/promote")))
		name := w.pending()[0].Name
		for range deaths {
			w.inbox = w.process()
			w.inbox.Record, w.inbox.Deliveries = dying(w.record)
			w.work(t.Context())
		}
		w.inbox = w.process()
		var told []v1alpha1.DeliveryPhase
		w.inbox.Settled = func(d *v1alpha1.Delivery) { told = append(told, d.Status.Phase) }
		w.work(t.Context())
		want := v1alpha1.DeliveryDone
		if deaths == 3 {
			want = v1alpha1.DeliveryQuarantined
		}
		d, err := w.record.Get(t.Context(), name)
		check(t, err)
		if d.Status.Deaths != int32(deaths) || !slices.Equal(told, []v1alpha1.DeliveryPhase{want}) ||
			(w.only().Spec.Approval != nil) != (deaths < 3) {
			t.Errorf("after %d processes: %d deaths, answered %q, approval %v; want %s", deaths, d.Status.Deaths, told, w.only().Spec.Approval,
				want)
		}
	}
}

// TestADeliveryThatEndsTheProcessTakesNoOtherAlong: several deliveries were running when a
// process ended. The next process handles them one at a time.
func TestADeliveryThatEndsTheProcessTakesNoOtherAlong(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.app.SetWebhookURL("")
	for _, body := range []string{"/promote", "/lock"} {
		check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, w.writer, body)))
	}
	for _, d := range w.pending() {
		d.Status.Running, d.Status.Attempts = "gone", 1
		check(t, w.record.Update(t.Context(), &d))
	}
	check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, w.writer, "/status")))
	began, goOn := make(chan struct{}, 1), make(chan struct{})
	w.inbox = w.process()
	var looks atomic.Int32
	w.inbox.Record = &broken{w.record, func() {
		if looks.Add(1) == 1 {
			began <- struct{}{}
			<-goOn
		}
	}}
	suspects := slices.DeleteFunc(w.pending(), func(d v1alpha1.Delivery) bool { return d.Status.Running == "" })
	ended := make(chan error, 1)
	go func() {
		_, err := w.inbox.Work(t.Context(), suspects[0].Name)
		ended <- err
	}()
	<-began
	again, err := w.inbox.Work(t.Context(), suspects[1].Name)
	check(t, err)
	other, err := w.record.Get(t.Context(), suspects[1].Name)
	check(t, err)
	if again <= 0 || other.Status.Attempts != 1 {
		t.Errorf("the second delivery started while the first ran: attempts %d, again in %s", other.Status.Attempts, again)
	}
	for _, d := range w.pending() { // a new one need not wait
		if d.Status.Attempts == 0 {
			_, err := w.inbox.Work(t.Context(), d.Name)
			check(t, err)
		}
	}
	if n := len(w.answers(pr.Number)); n != 1 {
		t.Errorf("%d answers to a new comment meanwhile, want 1", n)
	}
	close(goOn)
	check(t, <-ended)
	w.work(t.Context())
	if n := len(w.pending()); n != 0 || w.lock() == nil || w.only().Spec.Approval == nil {
		t.Errorf("%d deliveries are pending, lock %v, approval %v; want both carried out", n, w.lock(), w.only().Spec.Approval)
	}
}

// dying is the record of a process that ends when a command reads the application: nothing
// arrives afterwards.
func dying(m *memoryRecord) (bot.Record, bot.Deliveries) {
	alive := true
	return &broken{m, func() { alive = false; panic("the process has ended") }}, &mortal{m, &alive}
}

// mortal stores deliveries while its process lives.
type mortal struct {
	*memoryRecord
	alive *bool
}

func (m *mortal) Update(ctx context.Context, d *v1alpha1.Delivery) error {
	if !*m.alive {
		return errDown
	}
	return m.memoryRecord.Update(ctx, d)
}

func TestAttemptsAreCountedBeforeTheyBegin(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	var seen v1alpha1.DeliveryStatus
	w.inbox.Record = &broken{w.record, func() { seen = w.pending()[0].Status }}
	w.say(pr.Number, w.writer, "/promote")
	if seen.Attempts != 1 || seen.Running != w.inbox.Holder {
		t.Errorf("while it is handled, its record is %+v, want this process's attempt", seen)
	}
}

func TestHandledDeliveriesAreDeletedInTheEnd(t *testing.T) {
	w := newWorld(t)
	day := 24 * time.Hour
	add := func(name string, phase v1alpha1.DeliveryPhase, age time.Duration) {
		at := metav1.NewTime(time.Now().Add(-age))
		d := &v1alpha1.Delivery{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.DeliveryStatus{Phase: phase}}
		if phase.Finished() {
			d.Status.FinishedAt = &at
		}
		_, err := w.record.Put(t.Context(), d)
		check(t, err)
	}
	add("old", v1alpha1.DeliveryDone, 9*day)
	add("quarantined long ago", v1alpha1.DeliveryQuarantined, 9*day)
	add("kept", v1alpha1.DeliveryDone, 7*day) // GitHub may deliver it again
	add("pending", v1alpha1.DeliveryPending, 9*day)
	check(t, w.inbox.Tidy(t.Context()))
	names := func() []string {
		var all []string
		for name := range w.record.deliveries {
			all = append(all, name)
		}
		slices.Sort(all)
		return all
	}
	if got := names(); !slices.Equal(got, []string{"kept", "pending"}) {
		t.Errorf("kept are %q", got)
	}
	for i := range 2100 {
		add(fmt.Sprintf("many-%04d", i), v1alpha1.DeliveryDone, time.Hour)
	}
	check(t, w.inbox.Tidy(t.Context()))
	if n := len(names()); n != 2001 || w.record.deliveries["pending"] == nil || w.record.deliveries["kept"] != nil {
		t.Errorf("%d deliveries are kept, want the newest 2000 and the pending ones", n)
	}
}
