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
