package bot_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
)

// held stores deliveries, but no write ends before it is let go.
type held struct {
	*memoryRecord

	letGo chan struct{}

	mu             sync.Mutex
	underWay, most int
}

func (h *held) Put(ctx context.Context, d *v1alpha1.Delivery) (bool, error) {
	h.mu.Lock()
	h.underWay++
	h.most = max(h.most, h.underWay)
	h.mu.Unlock()
	<-h.letGo
	h.mu.Lock()
	h.underWay--
	h.mu.Unlock()
	return h.memoryRecord.Put(ctx, d)
}

// TestAFloodOfWebhooksTakesOnlyAPartOfKubernetes: while Kubernetes is slow, the leader still
// renews its lease. Whoever waits too long is told that nothing was stored.
func TestAFloodOfWebhooksTakesOnlyAPartOfKubernetes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record := &held{memoryRecord: newRecord(), letGo: make(chan struct{})}
		record.add(v1alpha1.BlueGreen{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"},
			Spec:       v1alpha1.BlueGreenSpec{Repository: "acme/shop", Branch: "main"},
		})
		in := &bot.Inbox{Record: record, Deliveries: record, Log: slog.New(slog.DiscardHandler)}
		push := func(i int) bot.Event {
			return bot.Event{Name: "push", Push: &bot.Push{Repository: "acme/shop", Branch: "main", Commit: fmt.Sprintf("%040d", i)}}
		}
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() { check(t, in.Handle(t.Context(), push(i))) })
		}
		synctest.Wait()
		if record.most != 16 {
			t.Errorf("%d deliveries are being written at once, want 16 of 40", record.most)
		}
		impatient, cancel := context.WithCancel(t.Context())
		var refused error
		all.Go(func() { refused = in.Handle(impatient, push(40)) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(refused, context.Canceled) {
			t.Errorf("a delivery that waited in vain ended with %v", refused)
		}
		close(record.letGo)
		all.Wait()
		if stored, err := record.List(t.Context()); err != nil || len(stored) != 40 || record.most != 16 {
			t.Errorf("%d deliveries are stored, %v, and %d were written at once; want 40, and 16", len(stored), err, record.most)
		}
	})
}

// submitting is the record of a process that looks at the inbox while it submits a release.
type submitting struct {
	*memoryRecord
	look func()
}

func (s *submitting) Submit(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	s.look()
	return s.memoryRecord.Submit(ctx, rel)
}

// The process that has just stored a push records its first attempt only at the end. Another one, which
// cannot know whether the push ended a process, records it before.
func TestTheFirstAttemptAtAFreshPushIsRecordedAtItsEnd(t *testing.T) {
	for name, other := range map[string]bool{"the process that stored it": false, "another one": true} {
		w := newWorld(t)
		w.app.SetWebhookURL("")
		w.forgetDeliveries()
		check(t, w.inbox.Handle(t.Context(), pushOf(bottest.Hash("a"), bottest.Hash("b"))))
		if other {
			w.inbox = w.process()
		}
		var meanwhile v1alpha1.DeliveryStatus
		submits := 0
		w.inbox.Record = &submitting{w.record, func() { submits++; meanwhile = w.pending()[0].Status }}
		d := w.pending()[0]
		_, err := w.inbox.Work(t.Context(), d.Name)
		check(t, err)
		if recorded := meanwhile.Running != ""; submits != 1 || recorded != other {
			t.Errorf("%s: after %d submits its attempt was recorded before: %t, want %t", name, submits, recorded, other)
		}
		after, err := w.record.Get(t.Context(), d.Name)
		check(t, err)
		if s := after.Status; s.Phase != v1alpha1.DeliveryDone || s.Attempts != 1 || s.Running != "" {
			t.Errorf("%s: afterwards its status is %+v", name, s)
		}
	}
}

// What a process has stored it need not ask Kubernetes for again; what another one has stored it must.
func TestAStoredDeliveryThatComesAgainCostsNothing(t *testing.T) {
	w := newWorld(t)
	w.app.SetWebhookURL("")
	push := pushOf(bottest.Hash("a"), bottest.Hash("b"))
	check(t, w.inbox.Handle(t.Context(), push))
	before := w.record.putsSoFar()
	check(t, w.inbox.Handle(t.Context(), push))
	if n := w.record.putsSoFar() - before; n != 0 {
		t.Errorf("a delivery that this process has stored was put %d times more", n)
	}
	check(t, w.process().Handle(t.Context(), push))
	if n := w.record.putsSoFar() - before; n != 1 {
		t.Errorf("a delivery that another process has stored was put %d times more, want once", n)
	}
}
