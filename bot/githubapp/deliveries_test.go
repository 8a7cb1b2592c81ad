package githubapp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// TestALostDeliveryIsFoundBehindAnyNumberOfOthers: one that was answered with an error at once, by
// GitHub's filter; one without an answer by the search that continues where the last one stopped.
func TestALostDeliveryIsFoundBehindAnyNumberOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-GitHub-Delivery") {
		case "refused":
			rw.WriteHeader(http.StatusServiceUnavailable)
		case "broken":
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(hook.Close)
	w.app.SetWebhookURL(hook.URL)
	began := time.Now().Add(-time.Minute)
	deliver := func(guid string) {
		w.app.Deliver(githubtest.Delivery{GUID: guid, Event: "push", Payload: []byte(`{}`)})
		check(t, w.github.Wait(t.Context(), func() bool {
			return !slices.ContainsFunc(w.app.Deliveries(), func(d githubtest.Delivery) bool { return !d.Done })
		}))
	}
	deliver("refused")
	deliver("broken")
	for i := range 3100 { // more than one search reads
		w.app.Deliver(githubtest.Delivery{GUID: fmt.Sprint("later-", i), Event: "push", Payload: []byte(`{}`)})
	}
	deliver("last")
	var found []string
	search := func(rest []githubapp.Stretch) []githubapp.Stretch {
		lost, rest, err := w.client.LostDeliveries(t.Context(), began, rest)
		check(t, err)
		for _, d := range lost {
			found = append(found, d.GUID)
		}
		return rest
	}
	rest := search(nil)
	if !slices.Equal(found, []string{"refused"}) || len(rest) != 1 {
		t.Errorf("the first search finds %q and leaves %d parts, want the refused delivery and one part", found, len(rest))
	}
	found = nil
	if rest = search(rest); !slices.Equal(found, []string{"refused", "broken"}) || len(rest) != 1 {
		t.Errorf("the second search finds %q and leaves %d parts, want both deliveries and one part, the newest list's", found, len(rest))
	}
}
