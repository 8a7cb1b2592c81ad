package deployer

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/proof"
)

// A prober outlives looks, so that users' answers are counted in between. If nobody looks any
// more, it must stop.
func TestProberStopsAMinuteAfterTheLastLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		app, p := client.ObjectKey{Namespace: "shop", Name: "shop"}, &probers{}
		m, err := p.begin(app, "first", proof.Config{
			URL: "http://shop.example.com/", Method: http.MethodGet, Rate: 1, Answered: func(proof.Kind) { asked.Add(1) },
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody is there") },
		})
		check(t, err)
		m.AskOn()
		askedIn := func(d time.Duration) int32 {
			before := asked.Load()
			time.Sleep(d)
			synctest.Wait()
			return asked.Load() - before
		}
		for range 10 { // late looks
			if n := askedIn(55 * time.Second); n < 50 {
				t.Fatalf("%d requests in 55 s, want one a second while somebody looks", n)
			}
			if p.get(app, "first") != m {
				t.Fatal("the next release has another prober")
			}
		}
		if n := askedIn(59 * time.Second); n < 50 {
			t.Errorf("%d requests in the 59 s after the last look", n)
		}
		time.Sleep(2 * time.Second)
		if n := askedIn(time.Hour); n != 0 {
			t.Errorf("%d requests although nobody looked for a minute", n)
		}
		if p.get(app, "first") != nil || len(p.of) != 0 {
			t.Error("a later look does not start a new measurement")
		}
	})
}
