package workload

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Counterpart returns the other colour's Deployment or Service, as [Workloads.CreateMissing]
// makes it from the live one, for somebody who writes it to a file.
func Counterpart(live *unstructured.Unstructured, label string, from v1alpha1.Color, name string) (*unstructured.Unstructured, error) {
	build := newDeployment
	if live.GetKind() == serviceKind.Kind {
		build = newService
	}
	o, err := build(runtime.DeepCopyJSON(live.Object), recolor{label: label, from: from, to: from.Other()})
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be made from %s: %w", live.GetKind(), name, live.GetName(), err)
	}
	u := &unstructured.Unstructured{Object: o}
	u.SetAPIVersion(live.GetAPIVersion())
	u.SetKind(live.GetKind())
	u.SetName(name)
	return u, nil
}
