package fault

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// api counts what is done.
func api(t *testing.T) (p *Proxy, done *atomic.Int64) {
	t.Helper()
	done = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			_, _ = io.WriteString(w, "first\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		done.Add(1)
		if strings.HasSuffix(r.URL.Path, "/events") {
			_ = json.NewEncoder(w).Encode(map[string]any{"kind": "EventList", "items": []string{"one"}})
		}
	}))
	t.Cleanup(server.Close)
	p, err := NewProxy(server.URL+"/base/", http.DefaultTransport, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, done
}

func send(t *testing.T, method, url string, d time.Duration) (*http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// What a fault does to a request, and whether the request had its effect.
func TestEachKindFailsInItsWay(t *testing.T) {
	const long = time.Minute
	tests := []struct {
		kind   Kind
		status int // 0: no answer
		done   int64
		writes int
	}{
		{"", http.StatusOK, 1, 1},
		{Unavailable, http.StatusInternalServerError, 0, 0},
		{Limited, http.StatusTooManyRequests, 0, 0},
		{Timeout, 0, 0, 0},
		{ReplyLost, 0, 1, 1},
		{Slow, http.StatusOK, 1, 1},
		{EventsDropped, http.StatusOK, 1, 1},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			p, done := api(t)
			if tt.kind != "" {
				p.Fail(tt.kind, long, 1)
			}
			d := 20 * time.Second
			if tt.kind == Timeout {
				d = 100 * time.Millisecond
			}
			began := time.Now()
			answer, err := send(t, http.MethodPost, p.URL+"things", d)
			status := 0
			if err == nil {
				status = answer.StatusCode
				_ = answer.Body.Close()
			}
			if status != tt.status || done.Load() != tt.done || p.Writes() != tt.writes {
				t.Errorf("status %d (%v), done %d, writes %d; want %d, %d, %d", status, err, done.Load(), p.Writes(), tt.status, tt.done, tt.writes)
			}
			if tt.kind == Slow && time.Since(began) < late {
				t.Error("the answer came in time")
			}
			if want := map[bool]int{true: 0, false: 1}[tt.kind == "" || tt.kind == EventsDropped]; p.Hits()[tt.kind] != want {
				t.Errorf("hits are %v, want %d", p.Hits(), want)
			}
		})
	}
}

func TestAListOfEventsIsEmpty(t *testing.T) {
	p, _ := api(t)
	for i, want := range []string{`"one"`, `"items":[]`} { // a fault goes on, so in this order
		dropped := i == 1
		if dropped {
			p.Fail(EventsDropped, time.Minute, 1)
		}
		answer, err := send(t, http.MethodGet, p.URL+"events", 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("dropped %v: %s, %v; want %s in it", dropped, text, err, want)
		}
	}
}

// An empty list of events waits for whoever lists events; nobody else meets it.
func TestTheNextListOfEventsIsEmpty(t *testing.T) {
	p, _ := api(t)
	p.FailNext(EventsDropped, 1)
	for i, c := range []struct {
		path    string
		dropped bool
	}{{"things", false}, {"events", true}, {"events", false}} {
		answer, err := send(t, http.MethodGet, p.URL+c.path, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if dropped := strings.Contains(string(text), `"items":[]`); err != nil || dropped != c.dropped {
			t.Errorf("request %d: %s, %v; want it dropped: %v", i+1, text, err, c.dropped)
		}
	}
	if p.Hits()[EventsDropped] != 1 || p.Waiting() != 0 {
		t.Errorf("hits are %v, and %d wait", p.Hits(), p.Waiting())
	}
}

func TestEveryWatchEnds(t *testing.T) {
	p, _ := api(t)
	answer, err := send(t, http.MethodGet, p.URL+"things?watch=true", 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	line := make([]byte, len("first\n"))
	if _, err := io.ReadFull(answer.Body, line); err != nil {
		t.Fatal(err)
	}
	p.Fail(WatchClosed, 0, 1)
	if _, err := io.ReadAll(answer.Body); errors.Is(err, context.DeadlineExceeded) {
		t.Error("the watch goes on")
	}
	if p.Hits()[WatchClosed] != 1 {
		t.Errorf("hits are %v", p.Hits())
	}
}

// A fault is over after its time.
func TestAFaultEnds(t *testing.T) {
	p, _ := api(t)
	p.Fail(Unavailable, -time.Second, 1)
	answer, err := send(t, http.MethodGet, p.URL+"things", 20*time.Second)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	_ = answer.Body.Close()
}

// Faults for the next requests wait for them, and each meets one.
func TestTheNextRequestsFail(t *testing.T) {
	p, done := api(t)
	p.FailNext(Unavailable, 2)
	p.FailNext(Limited, 1)
	if n := p.Waiting(); n != 3 {
		t.Errorf("%d wait, want 3", n)
	}
	for i, want := range []int{http.StatusInternalServerError, http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusOK} {
		answer, err := send(t, http.MethodGet, p.URL+"things", 20*time.Second)
		if err != nil || answer.StatusCode != want {
			t.Fatalf("request %d: %v, %v; want %d", i+1, answer, err, want)
		}
		_ = answer.Body.Close()
	}
	if h := p.Hits(); h[Unavailable] != 2 || h[Limited] != 1 || done.Load() != 1 || p.Waiting() != 0 {
		t.Errorf("hits are %v, done %d; want 2 and 1, and the last one done", h, done.Load())
	}
}
