package controlplane

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

func TestDeploymentGetsItsReplicaSetAndPods(t *testing.T) {
	cp, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cp.Stop()
	clients := kubernetes.NewForConfigOrDie(cp.Config)
	labels := map[string]string{"app": "a"}
	replicas := int32(2)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
			},
		},
	}
	pods, err := clients.CoreV1().Pods("default").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer pods.Stop()
	if _, err := clients.AppsV1().Deployments("default").Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for range replicas {
		event := <-pods.ResultChan()
		pod, ok := event.Object.(*corev1.Pod)
		if event.Type != watch.Added || !ok || !strings.HasPrefix(pod.Name, "a-") {
			t.Fatalf("got event %v for %v, want a new pod of the Deployment", event.Type, event.Object)
		}
	}
	sets, err := clients.AppsV1().ReplicaSets("default").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(sets.Items) != 1 {
		t.Fatalf("got ReplicaSets %v (%v), want one", sets, err)
	}
	t.Run("a user without rights is refused", func(t *testing.T) { testUserIsRefused(t, cp) })
}

func testUserIsRefused(t *testing.T, cp *ControlPlane) {
	config, _, err := cp.User("reader", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = kubernetes.NewForConfigOrDie(config).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("listing pods as a user without a role: got %v, want Forbidden", err)
	}
}

func TestFindBinariesSaysHowToBuildThem(t *testing.T) {
	empty := t.TempDir()
	t.Setenv(EnvBinaries, empty)
	_, err := Start(context.Background(), Options{}) //nolint:usetesting // must fail before the context matters
	if !errors.Is(err, errNotBuilt) || !strings.Contains(err.Error(), "make controlplane") || !strings.Contains(err.Error(), empty) {
		t.Errorf("got %v, want an error with the directory and the command to type", err)
	}
}

func TestFindBinariesWalksUp(t *testing.T) {
	t.Setenv(EnvBinaries, "")
	top := t.TempDir()
	nested := filepath.Join(top, "sandbox", "node")
	for _, dir := range []string{nested, filepath.Join(top, "bin")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	files := []string{"go.mod", "sandbox/go.mod"}
	for _, name := range binaryNames {
		files = append(files, "bin/"+name)
	}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(top, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(nested)
	got, err := FindBinaries()
	if want := filepath.Join(top, "bin"); err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
