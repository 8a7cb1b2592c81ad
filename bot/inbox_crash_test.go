package bot_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// life is one process. It may end with one of its writes; nothing after that arrives
// anywhere.
type life struct {
	effects
	end context.CancelFunc
}

// once makes a write to the record.
func (l *life) once(what string, perform func() error) error {
	performed, answered := l.begin(what)
	if l.over() {
		defer l.end()
	}
	if performed {
		if err := perform(); err != nil {
			return err
		}
	}
	if !answered {
		return errDown
	}
	return nil
}

func (l *life) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.effects.RoundTrip(req)
	if l.over() {
		l.end()
	}
	return resp, err
}

func (l *life) Update(ctx context.Context, d *v1alpha1.Delivery) error {
	return l.once("delivery", func() error { return l.memoryRecord.Update(ctx, d) })
}

func (l *life) Put(ctx context.Context, d *v1alpha1.Delivery) (created bool, err error) {
	err = l.once("put", func() error {
		created, err = l.memoryRecord.Put(ctx, d)
		return err
	})
	return created, err
}

func (l *life) Delete(ctx context.Context, d *v1alpha1.Delivery) error {
	return l.once("delete", func() error { return l.memoryRecord.Delete(ctx, d) })
}

func (l *life) Submit(ctx context.Context, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error) {
	err = l.once("submit", func() error {
		stored, created, err = l.memoryRecord.Submit(ctx, rel)
		return err
	})
	return stored, created, err
}

func (l *life) Approve(ctx context.Context, key types.NamespacedName, a v1alpha1.Approval) error {
	return l.once("approve", func() error { return l.memoryRecord.Approve(ctx, key, a) })
}

func (l *life) Promote(ctx context.Context, key types.NamespacedName, p v1alpha1.Promotion) error {
	return l.once("promote", func() error { return l.memoryRecord.Promote(ctx, key, p) })
}

func (l *life) Cancel(ctx context.Context, key types.NamespacedName, c v1alpha1.Cancel) error {
	return l.once("cancel", func() error { return l.memoryRecord.Cancel(ctx, key, c) })
}

func (l *life) Lock(ctx context.Context, key types.NamespacedName, k v1alpha1.Lock) error {
	return l.once("lock", func() error { return l.memoryRecord.Lock(ctx, key, k) })
}

func (l *life) Unlock(ctx context.Context, key types.NamespacedName, by string) (was *v1alpha1.Lock, err error) {
	err = l.once("unlock", func() error {
		was, err = l.memoryRecord.Unlock(ctx, key, by)
		return err
	})
	return was, err
}

// born starts a process.
func (w *world) born(l *life) (*bot.Inbox, context.Context) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	l.memoryRecord, l.github, l.end = w.record, http.DefaultTransport, cancel
	in := w.process()
	in.Record, in.Deliveries = l, l
	if w.github != nil {
		in.GitHub = w.clientOver(l)
	}
	return in, ctx
}

// live starts a process, lets it handle what is pending, and checks that it ended at the
// write that it should end with.
func (w *world) live(l *life) {
	w.t.Helper()
	in, ctx := w.born(l)
	w.inbox = in
	w.work(ctx)
	if l.crash && l.spoiled() == "" || l.over() != l.crash {
		w.t.Fatalf("the process did not end at its write %d; the writes are %q", l.nth, l.seen)
	}
}

// scene is a command and the result that it must have, once.
type scene struct {
	name, body string
	set        func(w *world) *githubtest.PullRequest
	by         func(w *world) *githubtest.User
	done       func(w *world) string // describes what was done
	want       string
	answers    int      // -1: one or no answer
	reaction   string   // the reaction to the command
	writes     []string // in a life without a crash
}

// The writes to GitHub.
const (
	react   = "POST issues/comments/N/reactions"
	unreact = "DELETE issues/comments/N/reactions/N"
	comment = "POST issues/N/comments"
)

func waitingOne(w *world) *githubtest.PullRequest { pr, _ := waiting(w); return pr }
func isLocked(w *world) string                    { return fmt.Sprint("locked ", w.lock() != nil) }

func writer(w *world) *githubtest.User { return w.writer }
func reader(w *world) *githubtest.User { return w.reader }

var scenes = []scene{
	{
		name: "rollback", body: "/rollback", by: writer,
		set: func(w *world) *githubtest.PullRequest { pr, _, _ := released(w); return pr },
		done: func(w *world) string {
			n := 0
			for _, rel := range w.all() {
				if rel.Spec.Rollback != nil {
					n++
				}
			}
			return fmt.Sprint(n, " rollbacks")
		},
		// The process may lose its note; the publisher reacts at the end.
		want: "1 rollbacks", answers: -1, reaction: "eyes",
		writes: []string{"delivery", react, "submit", "delivery", comment, "delivery"},
	},
	{
		name: "promote", body: "/promote", by: writer, set: waitingOne,
		done: func(w *world) string {
			return fmt.Sprint(len(w.all()), " releases, approved ", w.only().Spec.Approval != nil)
		},
		want: "1 releases, approved true", answers: 0, reaction: "rocket",
		writes: []string{"delivery", react, "approve", react, unreact, "delivery"},
	},
	{
		name: "promote a canary", body: "/promote", by: writer,
		set: func(w *world) *githubtest.PullRequest {
			pr, rel := waiting(w)
			w.record.change(rel.Name, divides(5))
			return pr
		},
		done: func(w *world) string {
			rel := w.only()
			return fmt.Sprint("promoted to ", rel.Spec.Promoted())
		},
		want: "promoted to 25", answers: 0, reaction: "rocket",
		writes: []string{"delivery", react, "promote", react, unreact, "delivery"},
	},
	{
		name: "retry", body: "/retry", by: writer,
		set: func(w *world) *githubtest.PullRequest {
			pr, rel := waiting(w)
			w.record.change(rel.Name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseError) })
			return pr
		},
		done: func(w *world) string { return fmt.Sprint(len(w.all()), " releases") },
		want: "2 releases", answers: -1, reaction: "eyes",
		writes: []string{"delivery", react, "submit", "delivery"},
	},
	{
		name: "cancel", body: "/cancel", by: writer, set: waitingOne,
		done: func(w *world) string { return fmt.Sprint("cancelled ", w.only().Spec.Cancel != nil) },
		want: "cancelled true", answers: -1, reaction: "rocket",
		writes: []string{"delivery", react, "cancel", react, unreact, "delivery", comment, "delivery"},
	},
	{
		name: "lock", body: "/lock it moves", by: writer, set: waitingOne, done: isLocked,
		want: "locked true", answers: -1, reaction: "rocket",
		writes: []string{"delivery", react, "delivery", "lock", react, unreact, "delivery", comment, "delivery"},
	},
	{
		name: "unlock", body: "/unlock", by: writer,
		set: func(w *world) *githubtest.PullRequest {
			app := bottest.Shop()
			check(w.t, w.record.Lock(w.t.Context(), keyOf(&app), v1alpha1.Lock{By: "otto"}))
			return waitingOne(w)
		},
		done: isLocked, want: "locked false", answers: -1, reaction: "rocket",
		writes: []string{"delivery", react, "delivery", "unlock", react, unreact, "delivery", comment, "delivery"},
	},
	{
		name: "refusal", body: "/promote", by: reader, set: waitingOne,
		done: func(w *world) string { return fmt.Sprint("approved ", w.only().Spec.Approval != nil) },
		want: "approved false", answers: 1, reaction: "-1",
		writes: []string{"delivery", "delivery", comment, react, "delivery"},
	},
	{
		name: "status", body: "/status", by: reader, set: waitingOne, done: func(*world) string { return "" },
		answers: 1, reaction: "rocket",
		writes: []string{"delivery", "delivery", comment, react, "delivery"},
	},
}

// TestACommandSurvivesACrashAtEveryWrite spoils every write between the 202 and the end of a
// command, to the record and to GitHub. The process ends with it, and the next one starts; or the
// write fails, without effect or with its reply lost, and the process goes on; or the write arrives
// after another process has taken over and ended the command. The command is executed once, answered
// at most once, and never answered as asked before. A process that ends before a write leaves the
// same as one that ends with the write before, so that case is covered.
func TestACommandSurvivesACrashAtEveryWrite(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			writes := s.undisturbed(t)
			if writes == 0 {
				t.Fatal("there was no write to spoil")
			}
			for i := range writes {
				s.play(t, &life{effects: effects{nth: i + 1, with: true, crash: true}})
				s.play(t, &life{effects: effects{nth: i + 1}})
				s.play(t, &life{effects: effects{nth: i + 1, with: true}})
				s.comesLate(t, i+1)
			}
		})
	}
}

// undisturbed returns the number of writes without a crash.
func (s scene) undisturbed(t *testing.T) int {
	t.Helper()
	w, pr := s.begin(t)
	since := len(w.github.Requests())
	var quiet life
	w.live(&quiet)
	// The eyes come beside the other writes.
	if diff := cmp.Diff(slices.Sorted(slices.Values(s.writes)), slices.Sorted(slices.Values(quiet.seen))); diff != "" {
		t.Fatalf("the writes are (-want +got):\n%s", diff)
	}
	if n := total(w.arrived(since)); n != quiet.toGitHub() {
		t.Fatalf("%d writes reached GitHub; all writes are %q", n, quiet.seen)
	}
	s.expectDone(w, pr, "")
	return len(quiet.seen)
}

// begin sets the scene up to the stored command, and returns its pull request.
func (s scene) begin(t *testing.T) (*world, int) {
	t.Helper()
	w := newWorld(t)
	pr := s.set(w)
	w.app.SetWebhookURL("")
	check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, s.by(w), s.body)))
	return w, pr.Number
}

// play runs the scene with a write that goes wrong.
func (s scene) play(t *testing.T, first *life) {
	t.Helper()
	w, pr := s.begin(t)
	w.live(first)
	lost := ""
	if first.crash {
		w.live(&life{})
	} else {
		lost = first.spoiled()
		for range 5 { // the same process is asked again
			w.work(t.Context())
		}
	}
	t.Logf("%s: %s", first.cell(), first.spoiled())
	s.expectDone(w, pr, lost)
}

// lateWrite begins the name of a write that arrived late.
const lateWrite = "late: "

// comesLate runs the scene with a process that is stuck before a write until another one has ended
// the command.
func (s scene) comesLate(t *testing.T, nth int) {
	t.Helper()
	w, pr := s.begin(t)
	stuck := &life{effects: effects{nth: nth, late: newHold()}}
	slow, ctx := w.born(stuck)
	name := w.pending()[0].Name
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = slow.Work(ctx, name) // somebody else's, at its end
	}()
	<-stuck.late.reached
	w.inbox, ctx = w.born(&life{})
	for range 5 {
		w.work(ctx)
	}
	close(stuck.late.goOn)
	<-ended
	t.Logf("%d comes late: %s", nth, stuck.spoiled())
	s.expectDone(w, pr, lateWrite+stuck.spoiled())
}

// expectDone checks the result of the command. Reactions are decoration: one that was lost is not
// repeated. Nobody takes back an answer that arrived after the search for it.
func (s scene) expectDone(w *world, pr int, lost string) {
	w.t.Helper()
	if n := len(w.pending()); n != 0 {
		w.t.Errorf("the delivery is pending: %+v", w.pending()[0].Status)
	}
	if got := s.done(w); got != s.want {
		w.t.Errorf("%s, want %s", got, s.want)
	}
	if got := reactions(w.command(pr)); got != s.reaction && !strings.Contains(lost, "reactions") {
		w.t.Errorf("reactions %q, want %q", got, s.reaction)
	}
	answers := w.answers(pr)
	if len(answers) == 2 && lost == lateWrite+comment {
		answers = answers[:1]
	}
	if s.answers >= 0 && len(answers) != s.answers || len(answers) > 1 {
		w.t.Errorf("answers %q, want %d", answers, s.answers)
	}
	for _, a := range answers {
		if containsAny(a, "asked before", "not locked", "I was away", "locked already") {
			w.t.Errorf("answered %q", a)
		}
	}
}

// command is what a person wrote on a pull request.
func (w *world) command(pr int) githubtest.Comment {
	w.t.Helper()
	all := slices.DeleteFunc(w.repo.Comments(pr), func(c githubtest.Comment) bool { return c.App != nil })
	if len(all) != 1 {
		w.t.Fatalf("%d comments of people, want 1", len(all))
	}
	return all[0]
}

// TestAPushSurvivesACrashAtEveryWrite: each of its applications gets one release.
func TestAPushSurvivesACrashAtEveryWrite(t *testing.T) {
	pushed := func() *world {
		w := &world{t: t, record: newRecord()}
		for i := range 3 {
			app := bottest.Shop()
			app.Name = fmt.Sprintf("shop-%d", i)
			w.record.add(app)
		}
		check(t, w.process().Handle(t.Context(), pushOf(bottest.Hash("a"), bottest.Hash("b"))))
		return w
	}
	var quiet life
	pushed().live(&quiet)
	if diff := cmp.Diff([]string{"delivery", "submit", "submit", "submit", "delivery"}, quiet.seen); diff != "" {
		t.Fatalf("the writes are (-want +got):\n%s", diff)
	}
	for i := range quiet.seen {
		w := pushed()
		w.live(&life{effects: effects{nth: i + 1, with: true, crash: true}})
		w.live(&life{})
		if n := len(w.record.releases); n != 3 || len(w.pending()) != 0 {
			t.Errorf("after a crash at write %d: %d releases, %d deliveries pending; want 3 and none", i+1, n, len(w.pending()))
		}
	}
}

var _ bot.Record = &life{}
