package windows

import (
	"context"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A colour that Kubernetes calls ready is not yet healthy for the load balancer, whose health
// checks start with the first reference.
func TestColdGreen(t *testing.T) {
	t.Parallel()
	t.Run("Without", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.keepCold(green)
		s.refer()
		s.switchTo(green)
		s.loses(time.Time{})
	})
	t.Run("With", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.attach()
		s.warm()
		s.switchTo(green)
		s.moved(green)
		s.losesNothing()
	})
}

// A Service without a reference has no NEG: users are sent to a new one, which is still empty.
func TestMissingNEG(t *testing.T) {
	t.Parallel()
	t.Run("Without", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.keepCold(green)
		s.kubectlPatch(s.bg.Side(green).Service)
		s.loses(time.Time{})
	})
	t.Run("With", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.attach()
		s.warm()
		s.switchTo(green)
		s.moved(green)
		s.losesNothing()
	})
}

// An Ingress that references a broken green keeps sending users to blue, but no longer follows
// blue's pods.
func TestFrozenBlue(t *testing.T) {
	t.Parallel()
	withoutService := func(s *shop) {
		s.Helper()
		s.check(running.kube.Delete(s.Context(), s.service(green)))
	}
	t.Run("Without", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		withoutService(s)
		s.kubectlPatch(s.bg.Side(green).Service)
		s.awaitWarning("Translate")
		s.restart(blue)
		s.loses(time.Time{})
	})
	t.Run("With", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		withoutService(s)
		if err := s.router.Attach(t.Context(), s.bg, s.routes(), green); !apierrors.IsNotFound(err) {
			t.Errorf("a reference to a Service that does not exist was not refused: %v", err)
		}
		s.restart(blue)
		if n, err := s.warnings(t.Context(), "Translate"); n > 0 || err != nil {
			t.Errorf("%d warnings: %v", n, err)
		}
		s.losesNothing()
	})
}

// A colour without a reference is torn down at once, so the way back is as cold as the way there.
func TestInstantTeardown(t *testing.T) {
	t.Parallel()
	t.Run("Without", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.attach()
		s.warm()
		s.kubectlPatch(s.bg.Side(green).Service) // this also removes the standby rule
		s.moved(green)
		s.keepCold(blue)
		back := time.Now()
		s.kubectlPatch(s.bg.Side(blue).Service)
		s.loses(back)
	})
	t.Run("With", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.attach()
		s.warm()
		s.switchTo(green)
		s.moved(green)
		s.switchTo(blue)
		s.moved(blue)
		s.losesNothing()
	})
}

// The path of a health check is copied from a pod once, when the check is created. Without a pod it
// is / for ever, which this application does not serve.
func TestHealthCheckPath(t *testing.T) {
	t.Parallel()
	plain := func(s *shop) { s.ownHealthCheck, s.noRoot = false, true }
	t.Run("Without", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, 0, plain)
		s.attach()
		s.scale(green, replicas)
		s.await("green's pods to run and be unhealthy for the load balancer", func(ctx context.Context) (bool, string) {
			err := s.unhealthy(ctx, green)
			return err == nil, fmt.Sprint(err)
		})
		s.switchTo(green)
		s.loses(time.Time{})
	})
	t.Run("With", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, 1, plain) // Turnout's seed
		s.attach()
		s.scale(green, replicas)
		s.warm()
		s.switchTo(green)
		s.moved(green)
		s.losesNothing()
	})
}

// Front ends follow one after the other, and the last ones still send requests to the old colour.
func TestPropagation(t *testing.T) {
	t.Run("Without", func(t *testing.T) {
		s := newShop(t, replicas)
		s.attach()
		s.warm()
		s.holdLastFrontEnd()
		s.switchTo(green)
		s.await("the first answer of green", func(context.Context) (bool, string) {
			answers := s.load.Answers()
			return len(answers) > 0 && answers[len(answers)-1].Version == string(green), ""
		})
		s.scale(blue, 0)
		s.loses(time.Time{})
	})
	t.Parallel() // only from here on: before, the last front end was held up for everybody
	t.Run("With", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, replicas)
		s.attach()
		s.warm()
		s.switchTo(green)
		s.moved(green) // Turnout's drain
		s.scale(blue, 0)
		s.awaitPods(blue, 0)
		s.moved(green)
		s.losesNothing()
	})
}
