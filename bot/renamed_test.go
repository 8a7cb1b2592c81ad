package bot_test

import (
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
)

// TestPushIsOfTheRepositoryThatWasMet: the number counts, not the present name.
func TestPushIsOfTheRepositoryThatWasMet(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		repository string
		id         int64
		want       int
	}{
		"renamed":                        {"acme/renamed", 42, 1},
		"another one took over its name": {"acme/shop", 666, 0},
	} {
		w := newWorld(t)
		app := bottest.Shop()
		app.Status.Repository = &v1alpha1.RepositoryPin{Name: "acme/shop", ID: 42}
		w.record.add(app)
		check(t, w.inbox.Handle(t.Context(), bot.Event{Name: "push", Delivery: "guid", Push: &bot.Push{
			Repository: tt.repository, RepositoryID: tt.id, Branch: "main", Commit: bottest.Hash("a"), Actor: "wanda",
		}}))
		if n := len(w.pending()); n != tt.want {
			t.Errorf("%s: %d deliveries are recorded, want %d", name, n, tt.want)
		}
	}
}
