package cutover

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// toBeMade is a release that Turnout asks Kubernetes to store.
func toBeMade(kind v1alpha1.ReleaseKind, name string) *v1alpha1.Release {
	return &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.ReleaseSpec{Kind: kind}}
}

// Every second release of a kind is interrupted: once, in each way before one comes again, and 9 times in all.
func TestEverySecondReleaseIsInterrupted(t *testing.T) {
	order := func(seed uint64, kind v1alpha1.ReleaseKind) (met []interruption) {
		h := newHalves(seed)
		for i := range 30 {
			rel := toBeMade(kind, fmt.Sprint(i))
			where := h.of(rel, false)
			if (where != "") != (i%2 == 0 && i < 18) {
				t.Errorf("release %d: %q", i, where)
			}
			if again := h.of(rel, false); again != "" {
				t.Errorf("release %d was %s, and then %s", i, where, again)
			}
			if where != "" {
				met = append(met, where)
			}
		}
		return met
	}
	for _, kind := range []v1alpha1.ReleaseKind{v1alpha1.Deploy, v1alpha1.Rollback} {
		met := order(7, kind)
		for round := range slices.Chunk(met, len(interruptions())) {
			if slices.Sort(round); len(slices.Compact(round)) != len(interruptions()) {
				t.Errorf("a round is %v, want each once", round)
			}
		}
	}
	if a := order(7, v1alpha1.Deploy); !slices.Equal(a, order(7, v1alpha1.Deploy)) || slices.Equal(a, order(8, v1alpha1.Deploy)) {
		t.Error("the order is not the seed's")
	}
}

// A webhook on which a process died is left alone, and the next release is interrupted instead. After the
// storm none is.
func TestNoWebhookIsInterruptedToDeath(t *testing.T) {
	h := newHalves(7)
	if where := h.of(toBeMade(v1alpha1.Deploy, "a"), true); where != "" {
		t.Errorf("a release after a death is %s", where)
	}
	if where := h.of(toBeMade(v1alpha1.Deploy, "b"), false); where == "" {
		t.Error("the next one is not interrupted")
	}
	h.end()
	if where := h.of(toBeMade(v1alpha1.Rollback, "c"), false); where != "" {
		t.Errorf("after the storm, a release is %s", where)
	}
	if n := h.hits(); len(n) != 1 {
		t.Errorf("counted are %v, want one", n)
	}
}

// What an interruption does to the request that makes a release, to its process, and to others.
func TestAReleaseIsInterruptedWhereItIsMade(t *testing.T) {
	for _, tt := range []struct {
		where         interruption
		answer        int // 0: none
		stored, alive bool
	}{
		{refused, http.StatusInternalServerError, false, true},
		{killedBefore, 0, false, false},
		{killedAfter, http.StatusCreated, true, false},
	} {
		t.Run(string(tt.where), func(t *testing.T) {
			var stored []string
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var rel v1alpha1.Release
				if err := json.NewDecoder(r.Body).Decode(&rel); err != nil {
					t.Error(err)
				}
				stored = append(stored, rel.Name)
				w.WriteHeader(http.StatusCreated)
			}))
			defer api.Close()
			alive := true
			h := &halfway{
				to: http.DefaultTransport, halves: newHalves(1),
				deaths: func(context.Context, string) (int32, error) { return 0, nil },
				crash:  func() error { alive = false; return nil },
			}
			h.halves.decks[v1alpha1.Deploy] = &deck[interruption]{all: []interruption{tt.where}}
			send := func(path, name string) int {
				t.Helper()
				body, err := json.Marshal(toBeMade(v1alpha1.Deploy, name))
				if err != nil {
					t.Fatal(err)
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL+path, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				answer, err := h.RoundTrip(r)
				if err != nil {
					return 0
				}
				defer answer.Body.Close()
				return answer.StatusCode
			}
			const releases = "/apis/turnout.dev/v1alpha1/namespaces/shop/releases"
			if got := send("/apis/turnout.dev/v1alpha1/namespaces/turnout/deliveries", "other"); got != http.StatusCreated || !alive {
				t.Errorf("another request is answered %d, and the process lives: %v", got, alive)
			}
			got := send(releases, "a")
			if is := slices.Contains(stored, "a"); got != tt.answer || is != tt.stored || alive != tt.alive {
				t.Errorf("answered %d, stored %v, the process lives: %v; want %d, %v, %v", got, is, alive, tt.answer, tt.stored, tt.alive)
			}
			if got := send(releases, "a"); got != http.StatusCreated {
				t.Errorf("the next attempt is answered %d", got)
			}
		})
	}
}
