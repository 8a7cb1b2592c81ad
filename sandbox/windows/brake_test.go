package windows

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// brake delays the load balancer until a test has seen which requests users lose meanwhile: however
// slow the machine is, the load balancer is slower.
type brake struct {
	mu        sync.Mutex
	endpoints map[string]chan struct{} // not checked for health yet, by address
	adoption  chan struct{}            // the last front end waits for it, unless it is nil
	refused   map[string]int           // failed updates of URL maps, by the namespace in which they fail
}

// refuse is gclb.Config's Refuse.
func (b *brake) refuse(r *http.Request) bool {
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/urlMaps/") {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for namespace := range b.refused {
		if strings.Contains(r.URL.Path, "-"+namespace+"-") {
			b.refused[namespace]++
			return true
		}
	}
	return false
}

// health is gclb.Config's HoldHealth.
func (b *brake) health(ctx context.Context, address string) {
	b.mu.Lock()
	held := b.endpoints[address]
	b.mu.Unlock()
	if held == nil {
		return
	}
	select {
	case <-held:
	case <-ctx.Done():
	}
}

// adopt is gclb.Config's HoldAdoption.
func (b *brake) adopt() {
	b.mu.Lock()
	held := b.adoption
	b.mu.Unlock()
	if held != nil {
		<-held
	}
}

// keepCold prevents health checks of a colour's pods until the test ends.
func (s *shop) keepCold(c v1alpha1.Color) {
	s.Helper()
	var pods corev1.PodList
	s.check(running.kube.List(s.Context(), &pods, client.InNamespace(s.namespace), client.MatchingLabels(labels(c))))
	held := make(chan struct{})
	b := &running.brake
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.endpoints == nil {
		b.endpoints = map[string]chan struct{}{}
	}
	for i := range pods.Items {
		b.endpoints[pods.Items[i].Status.PodIP] = held
	}
	s.Cleanup(func() {
		close(held)
		b.mu.Lock()
		defer b.mu.Unlock()
		maps.DeleteFunc(b.endpoints, func(_ string, h chan struct{}) bool { return h == held })
	})
}

// holdLastFrontEnd keeps the last front end on its configuration until the test ends. That affects
// all applications, so no other test may run.
func (s *shop) holdLastFrontEnd() {
	held := make(chan struct{})
	b := &running.brake
	b.mu.Lock()
	defer b.mu.Unlock()
	b.adoption = held
	s.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.adoption = nil
		close(held)
	})
}
