package deployer

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const ownerForbids = "the owner of the cluster forbids it"

// denials are what keeps a migration from starting although the release is good, by name. deny
// returns what mends it.
var denials = map[string]struct {
	deny func(w *world) (mend func())
	says string
	// unbegun: no Job was let go, so it is certain that nothing ran.
	unbegun bool
}{
	"a quota": {(*world).useUpQuota, "exceeded quota: full", true},
	"admission of its pod": {func(w *world) func() {
		pod := &corev1.Pod{ObjectMeta: w.meta("probe"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "x"}}}}
		pod.Labels = map[string]string{v1alpha1.MigrationLabel: "expand"}
		return w.policy(admissionv1.Create, "", "pods", "!has(object.metadata.labels) || !('"+v1alpha1.MigrationLabel+
			"' in object.metadata.labels)", ownerForbids, func() error { return w.kube.Create(w.t.Context(), pod.DeepCopy(), client.DryRunAll) })
	}, ownerForbids, true},
	"admission of its job": {func(w *world) func() {
		return w.policy(admissionv1.Create, "batch", "jobs", "false", ownerForbids, func() error {
			return w.kube.Create(w.t.Context(), w.probe(), client.DryRunAll)
		})
	}, ownerForbids, true},
	"admission of its start": {func(w *world) func() {
		job := w.probe()
		job.Spec.Suspend = new(true)
		w.create(job)
		lift := w.policy(admissionv1.Update, "batch", "jobs", "object.spec.suspend == true", ownerForbids, func() error {
			started := job.DeepCopy()
			started.ResourceVersion, started.Spec.Suspend = "", new(false)
			return w.kube.Update(w.t.Context(), started, client.DryRunAll)
		})
		check(w.t, w.kube.Delete(w.t.Context(), job, client.PropagationPolicy("Background")))
		return lift
	}, ownerForbids, true},
	"its image": {func(w *world) func() {
		w.kubelet.pulls(w.t, "the registry answers 503")
		return func() { w.kubelet.pulls(w.t, "") }
	}, "ErrImagePull the registry answers 503", false},
}

// useUpQuota lets no pod start besides those that run.
func (w *world) useUpQuota() (mend func()) {
	w.t.Helper()
	w.awaitRunning(2)
	q := &corev1.ResourceQuota{ObjectMeta: w.meta("full")}
	q.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}
	w.create(q)
	w.until("the quota to count the pods", func() bool {
		w.get(q)
		used := q.Status.Used[corev1.ResourcePods]
		return used.Value() == 2
	}, func() string { return "" })
	return func() { check(w.t, w.kube.Delete(w.t.Context(), q)) }
}

// awaitRunning waits until the application has this many pods.
func (w *world) awaitRunning(n int) {
	w.t.Helper()
	w.until("its pods", func() bool { return len(w.pods("my-python-app")) == n }, func() string { return "" })
}

// probe is a Job that somebody else would create.
func (w *world) probe() *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: w.meta("probe")}
	job.Spec.Template.Spec = corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "app", Image: "x"}},
	}
	return job
}

// What the world denies a migration is said while it lasts, and the migration goes on once that is
// mended.
func TestAMigrationStartsOnceTheWorldLetsIt(t *testing.T) {
	t.Parallel()
	for name, c := range denials {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, expanding)
			mend := c.deny(w)
			w.run()
			rel := w.await(w.submit("a"), "to be told", func(r *v1alpha1.Release) bool {
				return r.Status.Step == v1alpha1.StepExpand && strings.Contains(r.Status.Message, c.says)
			})
			if waits := rel.Status.Waiting; waits == nil || !strings.Contains(waits.Detail, c.says) {
				t.Errorf("it waits for %+v", waits)
			}
			w.expectNothingStarted()
			mend()
			rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
			w.expectMigrated(rel, v1alpha1.MigrationChanged)
		})
	}
}

// It is not blamed on the command, whose own time begins with its start, nor on the release.
func TestWhatTheWorldDeniesForLongIsTheWorldsFault(t *testing.T) {
	t.Parallel()
	for name, c := range denials {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, expanding, func(bg *v1alpha1.BlueGreen) {
				bg.Spec.Migrations.Expand.Timeout, bg.Spec.Deadlines.Stage = *duration(time.Second), *duration(3 * time.Second)
			})
			c.deny(w)
			w.run()
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
			f := rel.Status.Failure
			if f.Class != v1alpha1.FaultWorld || f.Reason != v1alpha1.FailedDeadline || f.Step != v1alpha1.StepExpand || f.Limit == nil ||
				f.Limit.Duration != 3*time.Second || f.Waited == nil || !strings.Contains(f.Message, c.says) ||
				!strings.Contains(f.Message, "spec.deadlines.stage") {
				t.Errorf("the failure is %+v", f)
			}
			rel = w.await(rel, "the end of its migration", func(r *v1alpha1.Release) bool { return r.Status.Migration.EndedAt != nil })
			o := rel.Status.Migration.Outcome
			if c.unbegun && o != v1alpha1.MigrationNotRun || o != v1alpha1.MigrationNotRun && o != v1alpha1.MigrationUnknown {
				t.Errorf("the migration is %+v", rel.Status.Migration)
			}
			w.expectNothingStarted()
			w.kubelet.mu.Lock()
			defer w.kubelet.mu.Unlock()
			if len(w.kubelet.migrated) > 0 {
				t.Errorf("its command ran")
			}
		})
	}
}
