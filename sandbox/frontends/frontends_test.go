package frontends

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

type configuration struct{ serial int }

func (c configuration) Serial() int { return c.serial }

func TestOlderConfigurationIsNotAdopted(t *testing.T) {
	var a Adopted[configuration]
	for _, step := range []struct{ adopt, want int }{{0, 0}, {2, 2}, {1, 2}, {2, 2}, {3, 3}} {
		a.Adopt(configuration{step.adopt})
		if got := a.Load().serial; got != step.want {
			t.Errorf("after %d it serves by %d, want %d", step.adopt, got, step.want)
		}
	}
}

func TestFrontEndsTakeTheirTurnsEvenlySpread(t *testing.T) {
	for _, tt := range []struct {
		n           int
		first, last time.Duration
		want        []time.Duration
	}{
		{3, time.Second, 21 * time.Second, []time.Duration{time.Second, 11 * time.Second, 21 * time.Second}},
		{3, 0, 2 * time.Second, []time.Duration{0, time.Second, 2 * time.Second}},
		{1, time.Second, 21 * time.Second, []time.Duration{time.Second}},
		{2, 0, 0, []time.Duration{0, 0}},
	} {
		synctest.Test(t, func(t *testing.T) {
			began, adopted := time.Now(), make([]time.Duration, tt.n)
			Stagger(tt.n, tt.first, tt.last, func(i int) { adopted[i] = time.Since(began) })
			time.Sleep(time.Minute)
			synctest.Wait()
			if !slices.Equal(adopted, tt.want) {
				t.Errorf("%d front ends from %s to %s adopt after %v, want %v", tt.n, tt.first, tt.last, adopted, tt.want)
			}
		})
	}
}

func TestAllHaveAdoptedOnceTheSlowestHas(t *testing.T) {
	var a Adoption
	if a.ByAll(0) {
		t.Error("nobody is there, but all have adopted it")
	}
	a.Record(2, []int{2, 1})
	if a.Published() != 2 || a.ByAll(2) || !a.ByAll(1) {
		t.Errorf("published %d; by all: 1 %v, 2 %v", a.Published(), a.ByAll(1), a.ByAll(2))
	}
	a.Record(1, []int{1, 2}) // seen before, recorded later
	if a.Published() != 2 || !a.ByAll(2) {
		t.Errorf("published %d; by all: 2 %v", a.Published(), a.ByAll(2))
	}
	(*Adoption)(nil).Record(1, []int{1})
}

func TestConnectionOfAClientStaysWithItsFrontEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all []http.Handler
	for i := range 2 {
		all = append(all, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, i) }))
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, slog.New(slog.DiscardHandler), all) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	ask := func(client *http.Client) string {
		t.Helper()
		resp, err := client.Get("http://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	one := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	first := ask(one)
	for range 4 {
		if again := ask(one); again != first {
			t.Errorf("on one connection the answers are %q and %q", first, again)
		}
	}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if second, third := ask(fresh), ask(fresh); second == third {
		t.Errorf("two new connections went to one front end: %q", second)
	}
}
