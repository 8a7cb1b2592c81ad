package deployer

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// endsWith lets every migration end at once.
func endsWith(code int32, message string) func(*corev1.Pod) *corev1.ContainerStateTerminated {
	return func(*corev1.Pod) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Completed", Message: message, StartedAt: metav1.Now()}
	}
}

// runMigration writes the status of a migration's pod.
func (k *kubelet) runMigration(ctx context.Context, pod *corev1.Pod) {
	if pod.Spec.NodeName == "" {
		_ = k.kube.SubResource("binding").Create(ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}})
		return
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return
	}
	if k.unpulled != "" {
		if len(pod.Status.ContainerStatuses) == 0 {
			pod = pod.DeepCopy()
			waiting := &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: k.unpulled}
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
				Name: "app", Image: pod.Spec.Containers[0].Image, State: corev1.ContainerState{Waiting: waiting},
			}}
			_ = k.kube.Status().Update(ctx, pod)
		}
		return
	}
	k.migrated[pod.UID] = true
	end := k.migrate(pod)
	pod = pod.DeepCopy()
	was := pod.Status.Phase
	status := corev1.ContainerStatus{Name: "app", Image: pod.Spec.Containers[0].Image}
	pod.Status.Phase = corev1.PodRunning
	status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.Now()}
	switch {
	case end != nil && end.ExitCode == 0:
		pod.Status.Phase, status.State = corev1.PodSucceeded, corev1.ContainerState{Terminated: end}
	case end != nil:
		pod.Status.Phase, status.State = corev1.PodFailed, corev1.ContainerState{Terminated: end}
	case was == corev1.PodRunning:
		return
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	_ = k.kube.Status().Update(ctx, pod)
}

// migrations sets how migrations end from now on, also those that run.
func (k *kubelet) migrations(t testing.TB, end func(*corev1.Pod) *corev1.ContainerStateTerminated) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.migrate = end
	k.runMigrations(t)
}

// pulls sets why the images of migrations cannot be pulled from now on; "" if they can.
func (k *kubelet) pulls(t testing.TB, failure string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unpulled = failure
	k.runMigrations(t)
}

// runMigrations looks again at every pod of a migration.
func (k *kubelet) runMigrations(t testing.TB) {
	t.Helper()
	for _, pod := range k.pods {
		if pod.Labels[v1alpha1.MigrationLabel] != "" && pod.DeletionTimestamp == nil {
			now := &corev1.Pod{}
			if client.IgnoreNotFound(k.kube.Get(t.Context(), keyOf(pod), now)) == nil && now.UID == pod.UID {
				k.runMigration(t.Context(), now)
			}
		}
	}
}

// runsOn is a migration that does not end.
func runsOn(*corev1.Pod) *corev1.ContainerStateTerminated { return nil }

// expanding lets every deploy migrate first.
func expanding(bg *v1alpha1.BlueGreen) {
	if bg.Spec.Gate.Interval.Duration == 0 {
		bg.Spec.Gate.Interval.Duration = 20 * time.Millisecond // the live version is looked at three times before
	}
	bg.Spec.Migrations = &v1alpha1.MigrationsSpec{Expand: &v1alpha1.ExpandSpec{
		Command: []string{"python", "-m", "shop.migrate", "expand"}, Timeout: *duration(time.Hour),
	}}
}

// jobs are the Jobs of the world.
func (w *world) jobs() []batchv1.Job {
	w.t.Helper()
	var list batchv1.JobList
	check(w.t, w.kube.List(w.t.Context(), &list, client.InNamespace(w.namespace)))
	return list.Items
}

// expectNothingStarted checks that nobody has written the Ingress or staged anything.
func (w *world) expectNothingStarted() {
	w.t.Helper()
	i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	w.get(i)
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
	w.get(d)
	if i.Generation != 1 || d.Generation != 1 {
		w.t.Errorf("the ingress is in its generation %d, and the target in its %d", i.Generation, d.Generation)
	}
}
