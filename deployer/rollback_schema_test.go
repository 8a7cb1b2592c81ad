package deployer

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// newPastExpand is a world in which users are on green, and a deploy over blue was cancelled after it
// had changed the schema. Blue's pods answer with a status; green's are well.
func newPastExpand(t *testing.T, status int) *world {
	t.Helper()
	w := newWorld(t, gated(v1alpha1.GateSpec{
		HTTP: []v1alpha1.HTTPCheck{{Path: "/healthz"}}, Timeout: metav1.Duration{Duration: 3 * time.Second},
	}), expanding)
	w.source.commit("b", "a")
	w.pretendDeployed()
	w.kubelet.hold("blue")
	w.runWith(w.answers(func(pod *corev1.Pod) (int, error) {
		if colorOf(pod) == v1alpha1.Blue {
			return status, nil
		}
		return http.StatusOK, nil
	}))
	b := w.await(w.submit("b"), "the new pods", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepStage })
	w.cancel(b)
	w.awaitPhase(b, v1alpha1.ReleaseCancelled)
	w.kubelet.mu.Lock() // pods that were held are ending
	defer w.kubelet.mu.Unlock()
	delete(w.kubelet.held, "blue")
	return w
}

func verifies(rel *v1alpha1.Release) bool {
	return slices.ContainsFunc(rel.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepVerify })
}

func TestGateDecidesAboutARollbackPastANewerExpand(t *testing.T) {
	t.Parallel()
	w := newPastExpand(t, http.StatusInternalServerError)
	rel := w.awaitPhase(w.rollback(), v1alpha1.ReleaseFailed)
	change := w.application().Status.Schema.Expanded[0]
	f := rel.Status.Failure
	if f.Reason != v1alpha1.FailedGate || f.Step != v1alpha1.StepVerify || f.Release != change.Release || f.Since == nil ||
		len(f.Evidence) != 1 || !strings.Contains(f.Message, "users were not moved") || !strings.Contains(f.Message, change.Release) {
		t.Errorf("the failure is %+v", f)
	}
	w.expectLive(v1alpha1.Green)
}

func TestRollbackPastANewerExpandThatPassesItsGateMovesUsers(t *testing.T) {
	t.Parallel()
	w := newPastExpand(t, http.StatusOK)
	rel := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	if !verifies(rel) || rel.Status.Milestones.Verified == nil {
		t.Errorf("the gate was not asked: %+v", rel.Status.Timeline)
	}
	w.expectLive(v1alpha1.Blue)
}

func TestRollbackToAVersionThatWasLiveWithTheSchemaAsksNoGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), expanding)
	w.pretendDeployed()
	w.runWith(w.answers(func(*corev1.Pod) (int, error) { return http.StatusInternalServerError, nil }))
	rel := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	if verifies(rel) {
		t.Errorf("the gate was asked: %+v", rel.Status.Timeline)
	}
	w.expectLive(v1alpha1.Blue)
}
