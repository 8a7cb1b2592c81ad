package scenario

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// visit is a user's request through the Gateway, and its answer.
type visit struct {
	at     time.Time // the answer
	took   time.Duration
	answer answer
	err    error
}

// crowd is users of an application who ask 30 times a second, and wait for no other's answer.
type crowd struct {
	stop   context.CancelFunc
	asking sync.WaitGroup

	mu     sync.Mutex
	visits []visit
}

// paths are what users ask for in turn: both rules of the route, and three of ten in French.
var paths = []string{ //nolint:gochecknoglobals // a table
	"/", "/api", "/?lang=fr", "/api", "/", "/api?lang=fr", "/", "/api", "/?lang=fr", "/api",
}

// visited lets users ask the application's Gateway until [crowd.leave].
func (a *application) visited() *crowd {
	a.t.Helper()
	ctx, stop := context.WithCancel(a.t.Context())
	c := &crowd{stop: stop}
	c.asking.Go(func() {
		for i, ticks := 0, time.Tick(time.Second/30); ctx.Err() == nil; i++ {
			c.asking.Go(func() { c.ask(ctx, a, paths[i%len(paths)]) })
			<-ticks
		}
	})
	return c
}

// ask sends one request. An answer that is under way when the users leave does not count.
func (c *crowd) ask(ctx context.Context, a *application, path string) {
	began := time.Now()
	got, err := a.askGateway(ctx, path, nil)
	if ctx.Err() != nil {
		return
	}
	v := visit{at: time.Now(), took: time.Since(began), answer: got, err: err}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visits = append(c.visits, v)
}

// seen are the visits so far.
func (c *crowd) seen() []visit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.visits)
}

// leave ends the users' requests, and returns what they got.
func (c *crowd) leave() []visit {
	c.stop()
	c.asking.Wait()
	return c.seen()
}

// expectServed checks that every request was answered well, but for those that a bad version
// itself answered wrongly; that bad version must have done so, or there was nothing to see.
func expectServed(t *testing.T, visits []visit, bad string) {
	t.Helper()
	var lost []string
	wrong := 0
	for _, v := range visits {
		switch {
		case v.answer.well(v.err) == nil:
		case v.err == nil && bad != "" && v.answer.version == bad && v.answer.status == http.StatusInternalServerError:
			wrong++
		default:
			lost = append(lost, fmt.Sprintf("at %s after %s: %v", v.at.Format(time.TimeOnly), v.took, v.answer.well(v.err)))
		}
	}
	if len(lost) > 0 {
		t.Errorf("%d of %d requests failed that no bad version answered, the first: %s", len(lost), len(visits), lost[0])
	}
	if len(visits) == 0 || bad != "" && wrong == 0 {
		t.Errorf("of %d requests %d were answered wrongly by %q: nothing was tried", len(visits), wrong, bad)
	}
}
