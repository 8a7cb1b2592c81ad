package bot_test

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
)

// A second attempt at an unlock must not remove a lock that somebody set after the first,
// although by GitHub's clock, which is ahead, the comment is younger.
func TestUnlockThatIsTriedAgainLeavesALaterLock(t *testing.T) {
	w := newWorld(t)
	pr := w.open("feature")
	w.typed(pr, "/unlock")
	d := w.delivery("/unlock")
	intended := metav1.NewMicroTime(time.Now().Add(-time.Minute))
	d.Status.ActIntendedAt = &intended
	d.Spec.Comment.WrittenAt = metav1.NewTime(time.Now().Add(time.Minute))
	check(t, w.record.Update(t.Context(), d))
	app := bottest.Shop()
	check(t, w.record.Lock(t.Context(), keyOf(&app), v1alpha1.Lock{By: "otto", Reason: "audit", At: metav1.Now()}))
	if !w.try(d) {
		t.Error("the command never ends")
	}
	if l := w.lock(); l == nil || l.By != "otto" {
		t.Errorf("the lock is %+v, want otto's", l)
	}
	if answers := w.answers(pr.Number); len(answers) != 1 || !strings.Contains(answers[0], "locked by otto") {
		t.Errorf("answers %q, want one that names the lock", answers)
	}
}

// raced is a record in which somebody unlocks right before an /unlock is written.
type raced struct{ *memoryRecord }

func (r raced) Unlock(ctx context.Context, app types.NamespacedName, by string) (*v1alpha1.Lock, error) {
	if _, err := r.memoryRecord.Unlock(ctx, app, "olga"); err != nil {
		return nil, err
	}
	return r.memoryRecord.Unlock(ctx, app, by)
}

func TestOfTwoUnlocksAtOnceTheSecondSaysThatItChangedNothing(t *testing.T) {
	w := newWorld(t)
	pr := w.open("feature")
	app := bottest.Shop()
	check(t, w.record.Lock(t.Context(), keyOf(&app), v1alpha1.Lock{By: "otto"}))
	w.inbox.Record = raced{w.record}
	w.expectSaid(pr.Number, w.writer, "/unlock", "+1", "was unlocked by somebody else just now", "Nothing was changed")
}

func TestDeliveryIsNotTriedBeforeItsTime(t *testing.T) {
	w := newWorld(t)
	pr := w.open("feature")
	w.typed(pr, "/status")
	d := w.delivery("/status")
	next := metav1.NewMicroTime(time.Now().Add(time.Hour))
	d.Status.NextAt = &next
	check(t, w.record.Update(t.Context(), d))
	again, err := w.inbox.Work(t.Context(), d.Name)
	check(t, err)
	now, err := w.record.Get(t.Context(), d.Name)
	check(t, err)
	if again < 59*time.Minute || now.Status.Attempts != 0 || len(w.answers(pr.Number)) != 0 {
		t.Errorf("the next call is in %v, after %d attempts, with the answers %q", again, now.Status.Attempts, w.answers(pr.Number))
	}
}
