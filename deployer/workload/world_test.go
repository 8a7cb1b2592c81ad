package workload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
	"github.com/turnout-dev/turnout/internal/index/indextest"
)

// controlPlane is shared by all tests of this package.
var controlPlane *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(controlplanetest.Run(m, controlplane.Options{}, &controlPlane))
}

// world is a namespace of its own, with the live colour in it.
type world struct {
	*Workloads
	t         *testing.T
	namespace string
	bg        *v1alpha1.BlueGreen
}

func newWorld(t *testing.T) world {
	t.Helper()
	c, err := client.New(controlPlane.Config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "shop"}}
	w := world{
		Workloads: &Workloads{Client: indextest.Client{Client: c}, Reader: c, Clientset: kubernetes.NewForConfigOrDie(controlPlane.Config)},
		t:         t, namespace: ns.Name, bg: bg,
	}
	w.await("the namespace's service account", func() bool {
		return c.Get(t.Context(), w.key("default"), &corev1.ServiceAccount{}) == nil
	})
	w.apply("testdata/live.yaml")
	return w
}

func (w world) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: w.namespace, Name: name}
}

// apply creates the objects of a file.
func (w world) apply(file string) {
	w.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := documents.Decode(u); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			w.t.Fatal(err)
		}
		u.SetNamespace(w.namespace)
		if err := w.Client.Create(w.t.Context(), u); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w world) await(what string, done func() bool) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.t.Context(), 20*time.Millisecond, 20*time.Second, true,
		func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		w.t.Fatalf("%s never happened", what)
	}
}

func (w world) observe(c v1alpha1.Color) track.Side {
	w.t.Helper()
	s, err := w.Observe(w.t.Context(), w.bg, c)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// awaitState observes a colour until it is as wanted.
func (w world) awaitState(c v1alpha1.Color, what string, is func(track.Side) bool) track.Side {
	w.t.Helper()
	var s track.Side
	w.await(what, func() bool {
		s = w.observe(c)
		return is(s)
	})
	return s
}

// stage stages and looks again after a conflict, as the reconciler does.
func (w world) stage(q StageRequest) (changed bool) {
	w.t.Helper()
	w.await("the patch", func() bool {
		var err error
		changed, err = w.Stage(w.t.Context(), w.bg, q)
		if err != nil && !apierrors.IsConflict(err) {
			w.t.Fatal(err)
		}
		return err == nil
	})
	return changed
}

func (w world) scale(c v1alpha1.Color, replicas int32) {
	w.t.Helper()
	w.await("the patch", func() bool { return w.Scale(w.t.Context(), w.bg, c, replicas) == nil })
}

func (w world) deployment(name string) *appsv1.Deployment {
	w.t.Helper()
	d := &appsv1.Deployment{}
	if err := w.Client.Get(w.t.Context(), w.key(name), d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// kubelet writes a pod's status as a node would.
func (w world) kubelet(pod string, write func(*corev1.PodStatus)) {
	w.t.Helper()
	p := &corev1.Pod{}
	if err := w.Client.Get(w.t.Context(), w.key(pod), p); err != nil {
		w.t.Fatal(err)
	}
	write(&p.Status)
	if err := w.Client.Status().Update(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
}

// running is the status of a pod that is ready.
func running(s *corev1.PodStatus) {
	now := metav1.Now()
	s.Phase, s.PodIP, s.PodIPs = corev1.PodRunning, "10.77.0.5", []corev1.PodIP{{IP: "10.77.0.5"}}
	s.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
	s.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Ready: true, Image: "shop", ImageID: image,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}}
}

const image = "registry.example.com/shop@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

func request(release string) StageRequest {
	return StageRequest{Target: v1alpha1.Green, Image: image, Commit: "abc", Release: release, Replicas: 3}
}
