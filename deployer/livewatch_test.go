package deployer

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// liveFails are pods that answer the gate, but blue's once it is true.
func (w *world) liveFails(fails func() bool) func(*corev1.Pod) (int, error) {
	return func(pod *corev1.Pod) (int, error) {
		if colorOf(pod) == v1alpha1.Blue && fails() {
			return http.StatusInternalServerError, nil
		}
		return http.StatusOK, nil
	}
}

// migrates waits until a release's migration runs.
func (w *world) migrates(rel *v1alpha1.Release) *v1alpha1.Release {
	w.t.Helper()
	return w.await(rel, "the migration runs", func(r *v1alpha1.Release) bool {
		return r.Status.Migration != nil && r.Status.Migration.StartedAt != nil
	})
}

func TestMigrationThatBreaksTheLiveVersionStopsTheRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), expanding)
	w.kubelet.migrations(t, runsOn)
	var broken atomic.Bool
	w.runWith(w.answers(w.liveFails(broken.Load)))
	rel := w.migrates(w.submit("a"))
	if l := rel.Status.Live; l == nil || l.KnownAt == nil || l.Before != "" || l.Looks != 3 ||
		l.KnownAt.After(rel.Status.Migration.IntendedAt.Time) {
		t.Fatalf("before the migration the live version was %+v", l)
	}
	at := time.Now().Truncate(time.Second)
	broken.Store(true)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	f, job := rel.Status.Failure, w.jobs()[0]
	if f.Reason != v1alpha1.FailedLiveSuffers || f.Step != v1alpha1.StepExpand || f.Since == nil || f.Since.Time.Before(at) ||
		len(f.Evidence) != 1 || !strings.HasPrefix(f.Evidence[0].Pod, "my-python-app-blue") || len(f.Commands) != 2 ||
		!strings.Contains(f.Message, "the live version") || !strings.Contains(f.Message, "job "+job.Name+" runs on") {
		t.Errorf("the failure is %+v", f)
	}
	w.expectNothingStarted()
	if *job.Spec.Suspend {
		t.Error("the migration was killed")
	}
	w.kubelet.migrations(t, endsWith(0, ""))
	w.await(rel, "its end is recorded", func(r *v1alpha1.Release) bool { return r.Status.Migration.EndedAt != nil })
}

// The migration has ended, and only then it shows that the live version does not bear the schema.
func TestLiveVersionThatDoesNotBearTheSchemaKeepsItsUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), expanding)
	w.kubelet.hold("green")
	var broken atomic.Bool
	w.runWith(w.answers(w.liveFails(broken.Load)))
	rel := w.await(w.submit("a"), "the new pods", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepStage })
	broken.Store(true)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedLiveSuffers || f.Step != v1alpha1.StepStage ||
		!strings.Contains(f.Message, "does not revert it") || len(f.Commands) != 1 {
		t.Errorf("the failure is %+v", f)
	}
	w.settled()
	if got := w.live(); got != v1alpha1.Blue {
		t.Errorf("live is %s", got)
	}
	w.expectSizes(1, 0)
}

func TestMigrationIsNotBlamedForWhatFailedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), expanding)
	w.runWith(w.answers(w.liveFails(func() bool { return true })))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if l := rel.Status.Live; l == nil || !strings.Contains(l.Before, "answered 500") {
		t.Errorf("before the migration the live version was %+v", l)
	}
	said := func(f v1alpha1.Advice) bool { return strings.Contains(f.Text, "because they failed before") }
	if !slices.ContainsFunc(rel.Status.Findings, said) {
		t.Errorf("the findings are %+v", rel.Status.Findings)
	}
}

// No probe of the pods shows what users get at the public address. Another process goes on with the
// baseline of the first.
func TestMigrationThatFailsUsersAtThePublicAddressStopsTheRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.kubelet.migrations(t, runsOn)
	var broken atomic.Bool
	w.publish(func(_ v1alpha1.Color, rw http.ResponseWriter) {
		if broken.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Baseline = duration(2 * time.Second) })
	stop := w.run(quick("first"))
	rel := w.migrates(w.submit("a"))
	l := rel.Status.Live
	if l == nil || l.Address == nil || l.Address.Baseline == nil || l.Address.Baseline.Requests == 0 || l.Address.Failed != 0 {
		t.Fatalf("before the migration the live version was %+v", l)
	}
	stop()
	broken.Store(true)
	w.run(quick("second"))
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedLiveSuffers || f.Since == nil || !strings.Contains(f.Message, "503") ||
		!strings.Contains(f.Message, w.application().Spec.URL) {
		t.Errorf("the failure is %+v", f)
	}
	w.expectNothingStarted()
}
