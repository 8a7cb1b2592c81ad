package deployer

import (
	"context"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func withSingleton(bg *v1alpha1.BlueGreen) {
	bg.Spec.Singletons = []v1alpha1.SingletonSpec{{Deployment: "beat"}}
}

// singleton is the Deployment of a scheduler.
func (w *world) singleton() *appsv1.Deployment {
	d := w.deployment(v1alpha1.Blue)
	one, labels := int32(1), map[string]string{"app": "beat"}
	d.Name, d.Labels, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels = "beat", labels, labels, labels
	d.Spec.Strategy.Type, d.Spec.Replicas = appsv1.RecreateDeploymentStrategyType, &one
	return d
}

func newWorldWithSingleton(t testing.TB, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w := newWorld(t, append(change, withSingleton)...)
	w.create(w.singleton())
	return w
}

// expectSingleton checks whether the singleton has the version of a Deployment.
func (w *world) expectSingleton(of v1alpha1.Color) {
	w.t.Helper()
	d, served := w.singleton(), w.deployment(of)
	w.get(d)
	w.get(served)
	want := imageID(served.Spec.Template.Spec.Containers[0].Image)
	if got := d.Spec.Template.Spec.Containers[0].Image; imageID(got) != want {
		w.t.Errorf("the singleton has the image %s, want %s", got, want)
	}
}

const setSingleton = "PATCH deployments/beat add annotations/workers replace template"

// A singleton gets the version once the switch is confirmed, and back once users are.
func TestSingletonsFollowUsers(t *testing.T) {
	t.Parallel()
	w := newWorldWithSingleton(t)
	e := newEffects(before, false)
	stop := w.runWith(e.config(plane.Config))
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.expectSingleton(v1alpha1.Green)
	inOrder(t, e.effects(), "release: SwitchedAt", "release: ConfirmedAt", setSingleton, "release: SoakStartedAt")
	stop()
	e = newEffects(before, false)
	w.runWith(e.config(plane.Config))
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectSingleton(v1alpha1.Blue)
	inOrder(t, e.effects(), "PATCH ingresses/ingress replace rules/http/paths/backend/service/name", "release: ConfirmedAt", setSingleton)
}

// A pod that does not end keeps the new one from starting. The release reports that, deletes
// nothing by force, and does not wait.
func TestStuckSingletonsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorldWithSingleton(t)
	pod := &corev1.Pod{}
	w.until("the singleton's pod", func() bool {
		var pods corev1.PodList
		check(t, w.kube.List(t.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels{"app": "beat"}))
		if len(pods.Items) == 1 {
			pods.Items[0].DeepCopyInto(pod)
		}
		return len(pods.Items) == 1
	}, func() string { return "" })
	// The finalizer keeps the pod, as a dead node would.
	w.patch(pod, `{"metadata":{"finalizers":["example.com/stuck"]}}`)
	t.Cleanup(func() {
		check(t, w.kube.Patch(context.WithoutCancel(t.Context()), pod, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))
	})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if !slices.ContainsFunc(rel.Status.Findings, func(f v1alpha1.Advice) bool { return strings.Contains(f.Text, "singleton beat") }) {
		t.Errorf("the findings are %+v", rel.Status.Findings)
	}
	w.get(pod)
	w.expectSingleton(v1alpha1.Green)
}

// A singleton whose strategy lets two versions run keeps releases from beginning.
func TestSingletonsNeedRecreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withSingleton)
	d := w.singleton()
	d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	w.create(d)
	w.run()
	w.submit("a")
	w.until("the condition", func() bool {
		c := readyCondition(w.application())
		return c.Reason == v1alpha1.ReasonPreflight && strings.Contains(c.Message, "set Recreate")
	}, func() string { return readyCondition(w.application()).Message })
}
