package rehearsal

import (
	"errors"
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

var plane *controlplane.ControlPlane

func TestMain(m *testing.M) { os.Exit(controlplanetest.Run(m, controlplane.Options{}, &plane)) }

// TestNoWriteIsStored tries every way to write that a client has.
func TestNoWriteIsStored(t *testing.T) {
	ctx := t.Context()
	admin, err := client.New(plane.Config, client.Options{Scheme: clientgoscheme.Scheme})
	check(t, err)
	check(t, admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "dry"}}))
	labels := map[string]string{"app": "web"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "dry", Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		},
	}}
	check(t, admin.Create(ctx, d))
	dry := &dryClient{Client: admin, results: map[string]*result{}, wrote: func(_, _ *unstructured.Unstructured) {}}
	scaled := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 5}}
	scale := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":5}}`))
	paused := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"add","path":"/spec/paused","value":true}]`))
	noted := client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":99}}`))
	for name, write := range map[string]func(d *appsv1.Deployment) error{
		"a patch":               func(d *appsv1.Deployment) error { return dry.Patch(ctx, d, paused) },
		"a patch of the status": func(d *appsv1.Deployment) error { return dry.Status().Patch(ctx, d, noted) },
		"an update of the status": func(d *appsv1.Deployment) error {
			d.ResourceVersion, d.Status.ObservedGeneration = "", 99 // whatever a controller wrote meanwhile
			return dry.Status().Update(ctx, d)
		},
		"a patch of the scale": func(d *appsv1.Deployment) error { return dry.SubResource("scale").Patch(ctx, d, scale) },
		"an update of the scale": func(d *appsv1.Deployment) error {
			return dry.SubResource("scale").Update(ctx, d, client.WithSubResourceBody(scaled))
		},
	} {
		if err := write(d.DeepCopy()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, write := range map[string]func(d *appsv1.Deployment) error{
		"an update":   func(d *appsv1.Deployment) error { return dry.Update(ctx, d) },
		"a deletion":  func(d *appsv1.Deployment) error { return dry.Delete(ctx, d) },
		"of all":      func(d *appsv1.Deployment) error { return dry.DeleteAllOf(ctx, d, client.InNamespace("dry")) },
		"a merge":     func(d *appsv1.Deployment) error { return dry.Patch(ctx, d, scale) },
		"an applying": func(*appsv1.Deployment) error { return dry.Apply(ctx, nil) },
	} {
		if err := write(d.DeepCopy()); !errors.Is(err, errUnknownWrite) {
			t.Errorf("%s: %v, want that it is refused", name, err)
		}
	}
	other := d.DeepCopy()
	other.ObjectMeta = metav1.ObjectMeta{Namespace: "dry", Name: "other"}
	check(t, dry.Create(ctx, other))
	var all appsv1.DeploymentList
	check(t, admin.List(ctx, &all, client.InNamespace("dry")))
	if len(all.Items) != 1 || *all.Items[0].Spec.Replicas != 0 || all.Items[0].Spec.Paused || all.Items[0].Status.ObservedGeneration == 99 {
		t.Errorf("the cluster has %+v", all.Items)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
