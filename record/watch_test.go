package record_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// callbacks notes which calls run concurrently. It holds each call until everything that
// may run beside it does.
type callbacks struct {
	mu      sync.Mutex
	now     map[string]int // by application
	twice   bool           // two calls for one application ran at a time
	beside  bool           // calls for two applications ran at a time
	calls   map[string]int // by release
	both    chan struct{}  // closed when two applications' calls run at a time
	content chan struct{}  // closed when every release got the calls that it asked for
	of      int            // how many releases there are
}

// call fails once for each release, then asks for another call, and is then content.
func (c *callbacks) call(ctx context.Context, rel *v1alpha1.Release) (time.Duration, error) {
	app := rel.Namespace + "/" + rel.Spec.Application
	c.begin(app)
	defer c.end(app)
	c.mu.Lock()
	c.calls[rel.Namespace+"/"+rel.Name]++
	n := c.calls[rel.Namespace+"/"+rel.Name]
	c.mu.Unlock()
	select { // wait for the other application's call
	case <-c.both:
	case <-ctx.Done():
	}
	switch n {
	case 1:
		return 0, errors.New("not this time")
	case 2:
		return time.Millisecond, nil
	}
	return 0, nil
}

func (c *callbacks) begin(app string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[app]++
	c.twice = c.twice || c.now[app] > 1
	if len(c.now) > 1 && !c.beside {
		c.beside = true
		close(c.both)
	}
}

func (c *callbacks) end(app string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now[app]--; c.now[app] == 0 {
		delete(c.now, app)
	}
	for _, n := range c.calls {
		if n < 3 {
			return
		}
	}
	if len(c.calls) == c.of {
		c.of = 0
		close(c.content)
	}
}

// TestAnApplicationIsCalledForOnceAtATime: different applications get concurrent calls, and
// no release is lost that fails or asks for another call.
func TestAnApplicationIsCalledForOnceAtATime(t *testing.T) {
	t.Parallel()
	const each = 4
	namespaces := map[string]cache.Config{}
	r, first := newApplication(t)
	_, second := newApplication(t)
	for _, bg := range []*v1alpha1.BlueGreen{first, second} {
		namespaces[bg.Namespace] = cache.Config{}
		for i := range each {
			rel := deploy(bg)
			rel.Spec.Deploy.Commit = strings.Repeat(string(rune('a'+i)), 40)
			rel.Name = v1alpha1.DeployName(bg.Name, rel.Spec.Deploy.Commit, 1)
			submit(t, r, rel)
		}
	}
	mgr, err := ctrl.NewManager(where, ctrl.Options{
		Scheme: kube.Scheme(), Metrics: server.Options{BindAddress: "0"}, Cache: cache.Options{DefaultNamespaces: namespaces},
	})
	check(t, err)
	c := &callbacks{
		now: map[string]int{}, calls: map[string]int{}, both: make(chan struct{}), content: make(chan struct{}), of: 2 * each,
	}
	check(t, r.Watch(mgr, "keyed", c.call))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	select {
	case <-c.content:
	case err := <-ended:
		t.Fatalf("the manager ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("some releases were not called as often as they asked")
	}
	cancel()
	check(t, <-ended)
	if c.twice || !c.beside {
		t.Errorf("one application twice at a time: %v, two side by side: %v; want only the latter", c.twice, c.beside)
	}
}
