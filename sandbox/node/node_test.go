package node_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/turnout-dev/turnout/sandbox/node/nodetest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// cluster is shared by all tests of this package.
var cluster nodetest.Cluster //nolint:gochecknoglobals // TestMain has no other way to hand it over

// repository is the name under which the tests push images.
const repository = "gcr.io/acme-prod/my-python-app"

func TestMain(m *testing.M) { os.Exit(nodetest.Run(m, &cluster, nil)) }

// push builds an image of the example application with some files replaced (nil removes a file),
// and returns its reference.
func push(t *testing.T, tag string, files map[string]string) string {
	t.Helper()
	source := t.TempDir()
	if err := registry.CopyTree("../../examples/python-app", source); err != nil {
		t.Fatal(err)
	}
	files["VERSION"] = tag
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(source, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	digest, err := cluster.Registry.Build(t.Context(), registry.BuildRequest{Context: source})
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Registry.Push(repository+":"+tag, digest); err != nil {
		t.Fatal(err)
	}
	return repository + ":" + tag
}

// app is a container that runs an image of the example like its manifests.
func app(image string) corev1.Container {
	return corev1.Container{
		Name: "app", Image: image,
		Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		ReadinessProbe: httpProbe("/healthz"),
	}
}

func httpProbe(path string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intOrName("http")}},
		PeriodSeconds:    1,
		FailureThreshold: 1,
	}
}

// deploy creates a Deployment in a namespace of its own and returns it.
func deploy(t *testing.T, replicas int32, spec corev1.PodSpec) *appsv1.Deployment {
	t.Helper()
	namespace, err := cluster.Clients.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	awaitServiceAccount(t, namespace.Name)
	labels := map[string]string{"app": "a"}
	deployment, err := cluster.Clients.AppsV1().Deployments(namespace.Name).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := cluster.Clients.AppsV1().Deployments(namespace.Name).Delete(ctx, "a", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return deployment
}

func TestDeploymentRunsAsRealProcesses(t *testing.T) {
	d := deploy(t, 3, corev1.PodSpec{
		Containers:                    []corev1.Container{app(push(t, "v1.0.0", map[string]string{}))},
		TerminationGracePeriodSeconds: ptr.To[int64](5),
	})
	awaitPods(t, d, "3 ready", func(pods []corev1.Pod) bool { return len(pods) == 3 && all(pods, isReady) })
	pods := list(t, d)
	seen := map[string]bool{}
	for i := range pods {
		body, header := get(t, "http://"+pods[i].Status.PodIP+":8080/")
		if !strings.Contains(body, pods[i].Name) || header.Get("X-App-Version") != "v1.0.0" {
			t.Errorf("pod %s answered %s with version %q", pods[i].Name, body, header.Get("X-App-Version"))
		}
		seen[pods[i].Status.PodIP] = true
		proxied, err := cluster.Clients.CoreV1().Pods(d.Namespace).ProxyGet("http", pods[i].Name, "8080", "/healthz", nil).DoRaw(t.Context())
		if err != nil || !strings.Contains(string(proxied), `"ok"`) {
			t.Errorf("pod proxy to %s: got %s, %v", pods[i].Name, proxied, err)
		}
		status := pods[i].Status.ContainerStatuses[0]
		if want := repository + "@sha256:"; !strings.HasPrefix(status.ImageID, want) {
			t.Errorf("imageID is %q, want %s…", status.ImageID, want)
		}
	}
	if len(seen) != 3 {
		t.Errorf("got addresses %v, want three different ones", seen)
	}
}

// get returns the body of an answer.
func get(t *testing.T, url string) (string, http.Header) {
	t.Helper()
	response, err := http.Get(url) //nolint:gosec,noctx // G107: a pod of the test's own
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body strings.Builder
	if err := response.Write(&body); err != nil {
		t.Fatal(err)
	}
	return body.String(), response.Header
}
