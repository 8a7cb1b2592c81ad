package deployer

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Nothing that keeps the new colour from its size keeps anybody from watching its users.
func TestCanaryThatCannotGrowIsStillWatched(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fails  func(w *world, rel *v1alpha1.Release, address *atomic.Bool)
		reason v1alpha1.FailureReason
	}{
		"its pods":           {func(w *world, rel *v1alpha1.Release, _ *atomic.Bool) { w.countRestarts(rel) }, v1alpha1.FailedSoakRestarts},
		"the public address": {func(_ *world, _ *v1alpha1.Release, address *atomic.Bool) { address.Store(true) }, v1alpha1.FailedPublicAddress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, steps(25, 25))
			var failing atomic.Bool
			w.publishShares(func(rw http.ResponseWriter, _ *http.Request) {
				if failing.Load() {
					rw.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			w.run()
			rel := w.await(w.submit("a"), "25 % of the users", has(25))
			w.deny("apps", "deployments", "!object.metadata.name.endsWith('green') || object.spec.replicas < 2", "the owner caps green",
				func(w *world) client.Object {
					d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
					w.get(d)
					d.Spec.Replicas = new(int32(2))
					return d
				})
			w.resize(v1alpha1.Blue, 3)
			w.await(rel, "to be told", func(r *v1alpha1.Release) bool {
				waits := r.Status.Waiting
				return waits != nil && waits.Because == v1alpha1.BecauseNeed && strings.Contains(waits.Detail, "the owner caps green")
			})
			w.expectWeights(divided(75, 25))
			tt.fails(w, rel, &failing)
			rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
			if f := rel.Status.Failure; f.Reason != tt.reason || f.Step != v1alpha1.StepShift {
				t.Errorf("the failure is %+v", f)
			}
			w.expectWeights(divided(100, 0))
		})
	}
}

// Somebody deletes the new colour's Deployment while users are there.
func TestCanaryWhoseDeploymentIsGoneIsWithdrawn(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25, 50))
	w.run()
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	check(t, w.kube.Delete(t.Context(), &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}))
	w.await(rel, "to see that no pod is left", func(r *v1alpha1.Release) bool {
		return r.Status.Shift.Watch.FailingSince != nil && r.Status.Failure == nil
	})
	w.expectWeights(divided(75, 25))
	w.until("half a minute to have passed", func() bool {
		w.get(rel)
		rel.Status.Shift.Watch.FailingSince.Time = time.Now().Add(-time.Minute)
		err := w.kube.Status().Update(t.Context(), rel)
		return err == nil
	}, func() string { return rel.Status.Message })
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedSoak || f.Step != v1alpha1.StepShift || !strings.Contains(f.Message, "unhealthy") {
		t.Errorf("the failure is %+v", f)
	}
	if diff := cmp.Diff([]int32{25, 0}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	w.expectWeights(divided(100, 0))
}
