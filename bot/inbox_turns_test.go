package bot_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// TestAFloodOfPushesBecomesReleasesInTurn: all are stored at once, and none is lost; but Kubernetes
// gets the releases of 5, and then those of 5 a second. A command does not wait behind them.
func TestAFloodOfPushesBecomesReleasesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record := newRecord()
		record.add(v1alpha1.BlueGreen{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"},
			Spec:       v1alpha1.BlueGreenSpec{Repository: "acme/shop", Branch: "main"},
		})
		in := &bot.Inbox{Record: record, Deliveries: record, Holder: "this", Log: slog.New(slog.DiscardHandler)}
		const pushes = 100
		for i := range pushes {
			check(t, in.Handle(t.Context(), bot.Event{Name: "push", Push: &bot.Push{
				Repository: "acme/shop", Branch: "main", Commit: fmt.Sprintf("%040d", i+1),
			}}))
		}
		all, err := record.List(t.Context())
		check(t, err)
		if len(all) != pushes {
			t.Fatalf("%d deliveries are stored, want %d", len(all), pushes)
		}
		command := &v1alpha1.Delivery{
			ObjectMeta: metav1.ObjectMeta{Name: "comment-1"},
			Spec:       v1alpha1.DeliverySpec{Repository: "acme/shop", Comment: &v1alpha1.DeliveredComment{ID: 1, PullRequest: 1, Body: "/status"}},
		}
		began, ended := time.Now(), make(chan time.Duration, pushes)
		for _, d := range all {
			go func() { // as the queue does
				for again := time.Duration(1); again > 0; {
					time.Sleep(again)
					var err error
					if again, err = in.Work(t.Context(), d.Name); err != nil {
						t.Error(err)
					}
				}
				ended <- time.Since(began)
			}()
		}
		time.Sleep(time.Millisecond)
		_, err = record.Put(t.Context(), command)
		check(t, err)
		_, err = in.Work(t.Context(), command.Name) // without a GitHub it cannot be answered
		check(t, err)
		if command, err = record.Get(t.Context(), command.Name); err != nil || command.Status.Attempts != 1 {
			t.Errorf("the command waits for the pushes: %v, %+v", err, command)
		}
		for _, at := range []struct {
			after time.Duration
			want  int
		}{{10 * time.Millisecond, 5}, {time.Second, 10}, {10 * time.Second, 55}, {time.Minute, pushes}} {
			time.Sleep(at.after - time.Since(began))
			synctest.Wait()
			made, err := record.Releases(t.Context(), types.NamespacedName{Namespace: "shop", Name: "shop"})
			check(t, err)
			if got := len(made); got < at.want-1 || got > at.want+1 {
				t.Errorf("%s after the flood there are %d releases, want %d", at.after, got, at.want)
			}
		}
		last := time.Duration(0)
		for range pushes {
			last = max(last, <-ended)
		}
		if want := 19 * time.Second; last < want || last > want+time.Second {
			t.Errorf("the last push was handled after %s, want %s", last, want)
		}
	})
}
