//go:build long

package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/bench/fault"
)

// crashing is a way to the API server on which turnout dies at one of its writes.
type crashing struct {
	to      http.RoundTripper
	process fault.Process

	mu     sync.Mutex
	armed  bool
	path   string // the end of the object's path
	landed bool   // whether the write is done before turnout dies
}

// RoundTrip implements [http.RoundTripper].
func (c *crashing) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	dies := c.armed && r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, c.path) && r.URL.Query().Get("dryRun") == ""
	c.armed = c.armed && !dies
	landed := c.landed
	c.mu.Unlock()
	if !dies {
		return c.to.RoundTrip(r)
	}
	if landed {
		answer, err := c.to.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_ = answer.Body.Close()
	}
	if _, err := c.process.Crash(); err != nil {
		return nil, err
	}
	return nil, io.ErrUnexpectedEOF
}

// dieAt makes turnout die at its next write of a Deployment.
func (c *crashing) dieAt(a *application, deployment string, landed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.path, c.landed = true, "/namespaces/"+a.namespace+"/deployments/"+deployment, landed
}

// died reports whether turnout did.
func (c *crashing) died() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.armed
}

// newCrashing leads turnout through it, and starts turnout again whenever it dies, until the test ends.
func newCrashing(t *testing.T) *crashing {
	t.Helper()
	user, direct, err := running.ControlPlane.User("turnout", nil)
	check(t, err)
	c := &crashing{}
	c.to, err = rest.TransportFor(user)
	check(t, err)
	proxy, err := fault.NewProxy(user.Host, c, 1)
	check(t, err)
	through, err := proxy.Kubeconfig()
	check(t, err)
	again := func(ctx context.Context, kubeconfig []byte) {
		check(t, running.turnout.Stop())
		check(t, running.turnout.UseKubeconfig(kubeconfig))
		check(t, running.turnout.Run(ctx))
	}
	again(t.Context(), through)
	c.process.Runs(running.turnout.PID())
	stop := running.turnout.KeepRunning(t.Context(), c.process.Runs)
	t.Cleanup(func() {
		if _, err := stop(); err != nil {
			t.Error(err)
		}
		again(context.WithoutCancel(t.Context()), direct)
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Turnout dies before and after each write of workers, while 300 tasks of the version that users leave wait, and
// more come. Each is done once.
func TestTasksSurviveACrashAtEveryWriteOfWorkers(t *testing.T) {
	s := newDjangoShop(t, "zero-crashes")
	s.set(`{"soak":"1s","drain":"2s","hold":"1h"}`)
	c := newCrashing(t)
	s.awaitEverywhere("/", "v1.0.0+first")
	from := s.ticks()
	users, stop := s.buys(10), s.watchesWorkers()
	live, known := v1alpha1.Blue, map[string]bool{}
	// moved waits for a release that was not there yet, and for the end of all that it owes.
	moved := func(what string) {
		t.Helper()
		rel := s.followRelease(what, func(rel *v1alpha1.Release) bool { return !known[rel.Name] }, in(v1alpha1.ReleaseSucceeded))
		known[rel.Name] = true
		s.awaitStopped(live)
		if !c.died() {
			t.Errorf("%s: turnout did not die", what)
		}
		live = live.Other()
		if size := s.size(live); size != 2 {
			t.Errorf("%s: %d workers of %s, want 2", what, size, live)
		}
	}
	for i, cell := range []struct {
		stops, landed bool // at the write that stops workers, or the one that starts them
	}{{false, false}, {false, true}, {true, false}, {true, true}} {
		at := func() string {
			if cell.stops {
				return worker(live)
			}
			return worker(live.Other())
		}
		s.owes(300, live)
		c.dieAt(s.application, at(), cell.landed)
		pr := s.merge(fmt.Sprint("Version ", i), map[string]string{"VERSION": fmt.Sprintf("v1.%d.0\n", i+1)})
		if i > 0 { // it contains what was rolled back
			s.follow(pr, "the wait for a person", in(v1alpha1.ReleaseWaiting))
			s.comment(pr.Number, running.writer, "/promote")
		}
		moved(fmt.Sprintf("deploy with %+v", cell))
		s.owes(300, live)
		c.dieAt(s.application, at(), cell.landed)
		s.comment(pr.Number, running.writer, "/rollback")
		moved(fmt.Sprintf("rollback with %+v", cell))
	}
	users.leave()
	s.expectNothingLost(users)
	if stopped, early := stop(); stopped != 8 || len(early) > 0 {
		t.Errorf("workers were stopped %d times, want 8: %q", stopped, early)
	}
	s.expectTicks(from, 9)
}
