package workload

import (
	"maps"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// withKEDA gives the cluster ScaledObjects, which stay.
func (w world) withKEDA() {
	w.t.Helper()
	text, err := os.ReadFile("../testdata/keda/scaledobjects.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Client.Create(w.t.Context(), crd); err != nil && !apierrors.IsAlreadyExists(err) {
		w.t.Fatal(err)
	}
}

func (w world) scaledObject(name string, target map[string]any, annotations map[string]string) {
	w.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"scaleTargetRef": target}}}
	u.SetGroupVersionKind(scalerKind)
	u.SetNamespace(w.namespace)
	u.SetName(name)
	u.SetAnnotations(annotations)
	w.await("ScaledObject "+name, func() bool { return w.Client.Create(w.t.Context(), u.DeepCopy()) == nil }) // the kind is new
}

func (w world) annotations(name string) map[string]string {
	w.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(scalerKind)
	if err := w.Client.Get(w.t.Context(), w.key(name), u); err != nil {
		w.t.Fatal(err)
	}
	return u.GetAnnotations()
}

// Without KEDA there is nothing to pause. With it, only what Turnout paused is given back.
func TestScaledObjectsArePausedAndGivenBack(t *testing.T) {
	w := newWorld(t)
	s := Scalers{Workloads: w.Workloads}
	if all, err := s.Of(t.Context(), w.namespace); err != nil || len(all) > 0 {
		t.Errorf("without KEDA there are %v, %v", all, err)
	}
	w.withKEDA()
	const (
		replicas, plain = v1alpha1.PausedReplicasAnnotation, "autoscaling.keda.sh/paused"
		mark, by        = v1alpha1.PausedAnnotation, v1alpha1.WorkersAnnotation
	)
	mail := map[string]any{"name": "mail"}
	for name, tt := range map[string]struct {
		has, paused, back map[string]string
	}{
		"no-annotations": {nil, map[string]string{replicas: "0", mark: "0", by: "app-1"}, map[string]string{by: "app-2"}},
		"others": {
			map[string]string{"a": "b"},
			map[string]string{"a": "b", replicas: "0", mark: "0", by: "app-1"},
			map[string]string{"a": "b", by: "app-2"},
		},
		"its-owner-keeps-a-size": {
			map[string]string{replicas: "3"},
			map[string]string{replicas: "3", by: "app-1"},
			map[string]string{replicas: "3", by: "app-2"},
		},
		"its-owner-paused-it": {
			map[string]string{plain: "true"},
			map[string]string{plain: "true", by: "app-1"},
			map[string]string{plain: "true", by: "app-2"},
		},
		"its-owner-did-not-pause-it": {
			map[string]string{plain: "false"},
			map[string]string{plain: "false", replicas: "0", mark: "0", by: "app-1"},
			map[string]string{plain: "false", by: "app-2"},
		},
		"paused-before": {
			map[string]string{replicas: "0", mark: "0", by: "app-0"},
			map[string]string{replicas: "0", mark: "0", by: "app-1"},
			map[string]string{by: "app-2"},
		},
		"somebody-resumed-it": {
			map[string]string{mark: "0", by: "app-0"},
			map[string]string{replicas: "0", mark: "0", by: "app-1"},
			map[string]string{by: "app-2"},
		},
	} {
		w.scaledObject(name, mail, tt.has)
		for range 2 { // each may run twice
			ok(t, s.Pause(t.Context(), w.namespace, name, "app-1"))
			if diff := cmp.Diff(tt.paused, w.annotations(name)); diff != "" {
				t.Errorf("%s: paused (-want +got):\n%s", name, diff)
			}
		}
		for range 2 {
			ok(t, s.Resume(t.Context(), w.namespace, name, "app-2"))
			if diff := cmp.Diff(tt.back, w.annotations(name)); diff != "" {
				t.Errorf("%s: given back (-want +got):\n%s", name, diff)
			}
		}
	}
	w.scaledObject("changed-since", mail, map[string]string{replicas: "5", mark: "0"})
	ok(t, s.Resume(t.Context(), w.namespace, "changed-since", ""))
	if got := w.annotations("changed-since"); !maps.Equal(got, map[string]string{replicas: "5"}) {
		t.Errorf("somebody else's size is %v", got)
	}
	ok(t, s.Pause(t.Context(), w.namespace, "gone", "app-1"))
}

func TestScaledObjectsAreFoundByTheirDeployment(t *testing.T) {
	w := newWorld(t)
	w.withKEDA()
	w.scaledObject("short", map[string]any{"name": "a"}, map[string]string{v1alpha1.PausedAnnotation: "0", v1alpha1.WorkersAnnotation: "x"})
	w.scaledObject("whole", map[string]any{"name": "b", "kind": "Deployment", "apiVersion": "apps/v1"},
		map[string]string{v1alpha1.PausedReplicasAnnotation: "0"})
	w.scaledObject("set", map[string]any{"name": "c", "kind": "StatefulSet"}, nil)
	w.scaledObject("custom", map[string]any{"name": "c", "kind": "Deployment", "apiVersion": "example.com/v1"}, nil)
	got, err := Scalers{Workloads: w.Workloads}.Of(t.Context(), w.namespace)
	ok(t, err)
	want := []track.Scaler{{Name: "short", Deployment: "a", Marked: true, SetBy: "x"}, {Name: "whole", Deployment: "b", Paused: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
