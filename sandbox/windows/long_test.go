//go:build long

package windows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// The tests of this file take minutes: they wait for timers of Google's controllers.

const (
	// outage is how long the Compute API refuses to change a URL map.
	outage = 2 * time.Minute
	// late is less than the rest of the controllers' back-off at that time. It doubles: they try
	// about 82 and 164 s after the first time.
	late = 20 * time.Second
)

// outlast switches while the URL map cannot be changed, and returns once it can. Users keep blue
// all the time.
func (s *shop) outlast() {
	s.Helper()
	s.attach()
	s.warm()
	end := s.refuseUpdates()
	s.switchTo(green)
	timer := time.NewTimer(outage)
	defer timer.Stop()
	<-timer.C
	if !s.load.Settled(string(blue), outage-10*time.Second, 100) {
		s.Errorf("users did not keep blue: %v", s.failures(time.Time{}))
	}
	if refused := end(); refused < 2 {
		s.Errorf("%d updates were refused", refused)
	}
}

// refuseUpdates makes updates of the shop's URL map fail until end is called.
func (s *shop) refuseUpdates() (end func() (refused int)) {
	b := &running.brake
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused == nil {
		b.refused = map[string]int{}
	}
	b.refused[s.namespace] = 0
	end = sync.OnceValue(func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		defer delete(b.refused, s.namespace)
		return b.refused[s.namespace]
	})
	s.Cleanup(func() { end() })
	return end
}

func TestOutage(t *testing.T) {
	t.Parallel()
	t.Run("Late", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.outlast()
		over := time.Now()
		s.moved(green)
		if took := time.Since(over); took < late {
			t.Errorf("the controller tried again after %v", took)
		}
		s.losesNothing()
	})
	t.Run("Edited", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.outlast()
		over := time.Now()
		s.check(s.router.Poke(t.Context(), s.bg, s.routes(), over))
		s.moved(green)
		if took := time.Since(over); took >= late {
			t.Errorf("after an edit the controller tried again after %v", took)
		}
		s.losesNothing()
	})
}

// Ten minutes after its creation, the next change of a pod opens its gate, whatever the load
// balancer finds. The colour is then ready for Kubernetes, but not warm.
func TestLetThroughUnhealthy(t *testing.T) {
	t.Parallel()
	s := newShop(t, 0, func(s *shop) { s.ownHealthCheck, s.noRoot = false, true })
	s.attach()
	s.scale(green, replicas)
	s.await("green's pods to run and be unhealthy for the load balancer", func(ctx context.Context) (bool, string) {
		err := s.unhealthy(ctx, green)
		return err == nil, fmt.Sprint(err)
	})
	s.awaitFor(12*time.Minute, "green's pods to be let through", func(ctx context.Context) (bool, string) {
		state, err := s.workloads.Observe(ctx, s.bg, green)
		if err = errors.Join(err, s.touch(ctx, state.Pods)); err != nil {
			return false, err.Error()
		}
		for _, pod := range state.Pods {
			if len(pod.Gates) != 1 || !pod.Gates[0].True || pod.Gates[0].Reason != "LoadBalancerNegTimeout" {
				return false, fmt.Sprint(pod.Gates)
			}
		}
		return len(state.Pods) == replicas, ""
	})
	s.awaitPods(green, replicas)
	known := v1alpha1.RouteStatus{}
	s.await("Turnout to see through it", func(ctx context.Context) (bool, string) {
		w, err := s.judge(ctx, &known)
		if w.Warm {
			t.Fatalf("green is warm: %+v", w)
		}
		said := fmt.Sprint(w.Lacking, w.Unseen, err)
		return err == nil && tells(w, "load balancer reported") && known.Pokes > 0, said
	})
	s.switchTo(green)
	s.loses(time.Time{})
}

// touch changes pods that are ten minutes old: without a change the controller looks at them only
// once in ten minutes.
func (s *shop) touch(ctx context.Context, pods []track.Pod) error {
	for _, p := range pods {
		if time.Since(p.Created) < 10*time.Minute {
			continue
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: p.Name}}
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"touched":"yes"}}}`))
		if err := running.kube.Patch(ctx, pod, patch); err != nil {
			return err
		}
	}
	return nil
}

// tells reports whether a reason why the colour is not warm contains a text.
func tells(w track.Warmth, part string) bool {
	for _, l := range w.Lacking {
		if strings.Contains(l.Text, part) {
			return true
		}
	}
	return false
}
