package node_test

import (
	"context"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// job runs a pod once, in a namespace of its own, and returns the pod once the Job has ended.
func job(t *testing.T, spec corev1.PodSpec) corev1.Pod {
	t.Helper()
	namespace, err := cluster.Clients.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "job-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	awaitServiceAccount(t, namespace.Name)
	spec.RestartPolicy = corev1.RestartPolicyNever
	jobs := cluster.Clients.BatchV1().Jobs(namespace.Name)
	_, err = jobs.Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "once"},
		Spec:       batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), Template: corev1.PodTemplateSpec{Spec: spec}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var last corev1.PodList
	await(t, func(ctx context.Context) (bool, error) {
		pods, err := cluster.Clients.CoreV1().Pods(namespace.Name).List(ctx, metav1.ListOptions{})
		if err == nil {
			last = *pods
		}
		j, err := jobs.Get(ctx, "once", metav1.GetOptions{})
		return err == nil && j.Status.Succeeded+j.Status.Failed > 0 && len(last.Items) == 1, nil
	}, func() { t.Fatalf("the job never ended: %+v", last.Items) })
	return last.Items[0]
}

// A sidecar has started before the container that needs it, and ends after it: otherwise a Job
// with one would never end.
func TestJobWithASidecarEnds(t *testing.T) {
	image := push(t, "v1-job", map[string]string{})
	sidecar := app(image)
	sidecar.Name, sidecar.RestartPolicy, sidecar.StartupProbe = "beside", ptr.To(corev1.ContainerRestartPolicyAlways), httpProbe("/healthz")
	sidecar.StartupProbe.FailureThreshold = 60
	const ask = "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz'); open('run/end', 'w').write('unchanged')"
	pod := job(t, corev1.PodSpec{
		InitContainers: []corev1.Container{sidecar},
		Containers: []corev1.Container{{
			Name: "migrate", Image: image, Command: []string{"python", "-c", ask}, TerminationMessagePath: "/app/run/end",
		}},
	})
	end := pod.Status.ContainerStatuses[0].State.Terminated
	if pod.Status.Phase != corev1.PodSucceeded || end == nil || end.ExitCode != 0 || end.Message != "unchanged" {
		t.Errorf("the pod is %s, its container ended as %+v, want exit 0 with the message unchanged", pod.Status.Phase, end)
	}
	if beside := pod.Status.InitContainerStatuses[0].State.Terminated; beside == nil {
		t.Errorf("the sidecar is %+v, want it ended", pod.Status.InitContainerStatuses[0].State)
	}
}

func TestJobThatFailsFails(t *testing.T) {
	pod := job(t, corev1.PodSpec{Containers: []corev1.Container{{
		Name: "migrate", Image: push(t, "v1-fails", map[string]string{}), Command: []string{"python", "-c", "raise SystemExit(3)"},
	}}})
	end := pod.Status.ContainerStatuses[0].State.Terminated
	if pod.Status.Phase != corev1.PodFailed || end == nil || end.ExitCode != 3 || end.Message != "" {
		t.Errorf("the pod is %s, its container ended as %+v, want exit 3 without a message", pod.Status.Phase, end)
	}
}
