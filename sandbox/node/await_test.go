package node_test

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

// patience bounds every wait for the cluster; the machine may be busy.
const patience = 60 * time.Second

func intOrName(name string) intstr.IntOrString { return intstr.FromString(name) }

func isReady(pod corev1.Pod) bool { return podutil.IsPodReady(&pod) }

func all(pods []corev1.Pod, is func(corev1.Pod) bool) bool {
	for i := range pods {
		if !is(pods[i]) {
			return false
		}
	}
	return true
}

// list returns the Deployment's pods.
func list(t *testing.T, d *appsv1.Deployment) []corev1.Pod {
	t.Helper()
	pods, err := cluster.Clients.CoreV1().Pods(d.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// awaitPods waits until the Deployment's pods are as wanted.
func awaitPods(t *testing.T, d *appsv1.Deployment, what string, wanted func([]corev1.Pod) bool) []corev1.Pod {
	t.Helper()
	var last []corev1.Pod
	await(t, func(context.Context) (bool, error) {
		last = list(t, d)
		return wanted(last), nil
	}, func() {
		for i := range last {
			t.Logf("%s: %s %+v", last[i].Name, last[i].Status.Phase, last[i].Status.ContainerStatuses)
		}
		t.Fatalf("the pods never became %s", what)
	})
	return last
}

// awaitServiceAccount waits for the service account that every pod of a namespace needs.
func awaitServiceAccount(t *testing.T, namespace string) {
	t.Helper()
	await(t, func(ctx context.Context) (bool, error) {
		_, err := cluster.Clients.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	}, func() { t.Fatalf("namespace %s never got a service account", namespace) })
}

func await(t *testing.T, condition wait.ConditionWithContextFunc, failed func()) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, condition); err != nil {
		failed()
	}
}
