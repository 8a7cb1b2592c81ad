package bot_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// life is one process as the record sees it: it ends at its nth write, before it or
// with it, and is not heard of again.
type life struct {
	*memoryRecord
	end    context.CancelFunc
	at     int32 // the write at which it ends; 0: none
	with   bool  // the write is performed
	writes atomic.Int32
	dead   atomic.Bool
}

// write performs a write of this life.
func (l *life) once(perform func() error) error {
	n := l.writes.Add(1)
	if l.dead.Load() || n == l.at && !l.with {
		l.die()
		return errDown
	}
	err := perform()
	if n == l.at {
		l.die()
		return errDown
	}
	return err
}

func (l *life) die() {
	l.dead.Store(true)
	l.end()
}

func (l *life) Update(ctx context.Context, d *v1alpha1.Delivery) error {
	return l.once(func() error { return l.memoryRecord.Update(ctx, d) })
}

func (l *life) Submit(ctx context.Context, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error) {
	err = l.once(func() error {
		stored, created, err = l.memoryRecord.Submit(ctx, rel)
		return err
	})
	return stored, created, err
}

func (l *life) Approve(ctx context.Context, key types.NamespacedName, a v1alpha1.Approval) error {
	return l.once(func() error { return l.memoryRecord.Approve(ctx, key, a) })
}

func (l *life) Cancel(ctx context.Context, key types.NamespacedName, c v1alpha1.Cancel) error {
	return l.once(func() error { return l.memoryRecord.Cancel(ctx, key, c) })
}

func (l *life) Lock(ctx context.Context, key types.NamespacedName, k v1alpha1.Lock) error {
	return l.once(func() error { return l.memoryRecord.Lock(ctx, key, k) })
}

func (l *life) Unlock(ctx context.Context, key types.NamespacedName, by string) (was *v1alpha1.Lock, err error) {
	err = l.once(func() error {
		was, err = l.memoryRecord.Unlock(ctx, key, by)
		return err
	})
	return was, err
}

// live lets a process begin, work off what is pending, and end at a write. It
// returns how many writes it made.
func (w *world) live(at int32, with bool) (writes int32, died bool) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	l := &life{memoryRecord: w.record, end: cancel, at: at, with: with}
	w.inbox = w.process()
	w.inbox.Record, w.inbox.Deliveries = l, l
	w.work(ctx)
	return l.writes.Load(), l.dead.Load()
}

// scene is a command with what must come of it, once.
type scene struct {
	name, body string
	set        func(w *world) *githubtest.PullRequest
	by         func(w *world) *githubtest.User
	done       func(w *world) string // what was done, in words
	want       string
	answers    int
}

func writer(w *world) *githubtest.User { return w.writer }
func reader(w *world) *githubtest.User { return w.reader }

var scenes = []scene{
	{"rollback", "/rollback", func(w *world) *githubtest.PullRequest { pr, _, _ := released(w); return pr }, writer, func(w *world) string {
		n := 0
		for _, rel := range w.all() {
			if rel.Spec.Rollback != nil {
				n++
			}
		}
		return fmt.Sprint(n, " rollbacks")
	}, "1 rollbacks", -1}, // its note may be lost with the process
	{"promote", "/promote", func(w *world) *githubtest.PullRequest { pr, _ := waiting(w); return pr }, writer, func(w *world) string {
		return fmt.Sprint(len(w.all()), " releases, approved ", w.only().Spec.Approval != nil)
	}, "1 releases, approved true", 0},
	{"retry", "/retry", func(w *world) *githubtest.PullRequest {
		pr, rel := waiting(w)
		w.record.change(rel.Name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseError) })
		return pr
	}, writer, func(w *world) string { return fmt.Sprint(len(w.all()), " releases") }, "2 releases", -1},
	{"cancel", "/cancel", func(w *world) *githubtest.PullRequest { pr, _ := waiting(w); return pr }, writer, func(w *world) string {
		return fmt.Sprint("cancelled ", w.only().Spec.Cancel != nil)
	}, "cancelled true", -1},
	{"lock", "/lock it moves", func(w *world) *githubtest.PullRequest { pr, _ := waiting(w); return pr }, writer, func(w *world) string {
		return fmt.Sprint("locked ", w.lock() != nil)
	}, "locked true", -1},
	{"unlock", "/unlock", func(w *world) *githubtest.PullRequest {
		pr, _ := waiting(w)
		app := shop()
		check(w.t, w.record.Lock(w.t.Context(), keyOf(&app), v1alpha1.Lock{By: "otto"}))
		return pr
	}, writer, func(w *world) string { return fmt.Sprint("locked ", w.lock() != nil) }, "locked false", -1},
	{"refusal", "/promote", func(w *world) *githubtest.PullRequest { pr, _ := waiting(w); return pr }, reader, func(w *world) string {
		return fmt.Sprint("approved ", w.only().Spec.Approval != nil)
	}, "approved false", 1},
	{
		"status", "/status", func(w *world) *githubtest.PullRequest { pr, _ := waiting(w); return pr }, reader, func(*world) string { return "" },
		"", 1,
	},
}

// TestACommandSurvivesACrashAtEveryWrite ends the process at every write between
// the 202 and the end of a command, before the write and with it, and lets the next
// one go on: the command is executed once, answered at most once, and never
// answered as asked before.
func TestACommandSurvivesACrashAtEveryWrite(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			quiet, _ := s.begin(t)
			writes, _ := quiet.live(0, false)
			for at := int32(1); at <= writes; at++ {
				for _, with := range []bool{false, true} {
					s.play(t, at, with)
				}
			}
		})
	}
}

// begin is the scene when its command is written down, and its pull request.
func (s scene) begin(t *testing.T) (*world, int) {
	t.Helper()
	w := newWorld(t)
	pr := s.set(w)
	w.app.SetWebhookURL("")
	check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, s.by(w), s.body)))
	return w, pr.Number
}

// play lets the scene happen with a crash.
func (s scene) play(t *testing.T, at int32, with bool) {
	t.Helper()
	w, pr := s.begin(t)
	if _, died := w.live(at, with); !died {
		t.Errorf("write %d: the crash did not show", at)
	}
	w.live(0, false)
	name := fmt.Sprintf("a crash at write %d, performed %v", at, with)
	if n := len(w.pending()); n != 0 {
		t.Errorf("%s: the delivery is pending: %+v", name, w.pending()[0].Status)
	}
	if got := s.done(w); got != s.want {
		t.Errorf("%s: %s, want %s", name, got, s.want)
	}
	answers := w.answers(pr)
	if s.answers >= 0 && len(answers) != s.answers || len(answers) > 1 {
		t.Errorf("%s: answers %q, want %d", name, answers, s.answers)
	}
	for _, a := range answers {
		if containsAny(a, "asked before", "not locked", "I was away", "locked already") {
			t.Errorf("%s: answered %q", name, a)
		}
	}
}

// TestAPushSurvivesACrashAtEveryWrite: each of its applications gets one release.
func TestAPushSurvivesACrashAtEveryWrite(t *testing.T) {
	for at := int32(1); at <= 5; at++ { // the attempt, three releases, the end
		for _, with := range []bool{false, true} {
			w := &world{t: t, record: newRecord()}
			for i := range 3 {
				app := shop()
				app.Name = fmt.Sprintf("shop-%d", i)
				w.record.add(app)
			}
			check(t, w.process().Handle(t.Context(), pushOf(hash("a"), hash("b"))))
			if _, died := w.live(at, with); !died {
				t.Errorf("write %d: the crash did not show", at)
			}
			w.live(0, false)
			if n := len(w.record.releases); n != 3 || len(w.pending()) != 0 {
				t.Errorf("a crash at write %d, performed %v: %d releases, %d deliveries pending; want 3 and none", at, with, n, len(w.pending()))
			}
		}
	}
}

var _ bot.Record = &life{}
