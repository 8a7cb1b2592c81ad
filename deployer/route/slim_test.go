package route

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/internal/index"
)

// sliceCache answers the list of a Service's EndpointSlices.
type sliceCache struct {
	client.Client
	all []discoveryv1.EndpointSlice
}

func (c sliceCache) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	service, _ := o.FieldSelector.RequiresExactMatch(index.Endpoints)
	for _, s := range c.all {
		if s.Labels[discoveryv1.LabelServiceName] == service {
			list, _ := into.(*discoveryv1.EndpointSliceList)
			list.Items = append(list.Items, s)
		}
	}
	return nil
}

func TestSlimEndpointsAreAsReadyAsTheyAre(t *testing.T) {
	t.Parallel()
	pod := func(name string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: name}, NodeName: new("node"),
		}
	}
	full := []discoveryv1.EndpointSlice{
		{
			ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{discoveryv1.LabelServiceName: "svc", "app": "shop"}},
			Endpoints:  []discoveryv1.Endpoint{pod("ready", new(true)), pod("starting", new(false)), pod("untold", nil)},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Name: "b", Labels: map[string]string{discoveryv1.LabelServiceName: "svc"}},
			Endpoints: []discoveryv1.Endpoint{
				{Addresses: []string{"10.0.0.7"}},
				{Addresses: []string{"10.0.0.8"}, TargetRef: &corev1.ObjectReference{Kind: "Node", Name: "node"}},
			},
		},
		{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Endpoints: []discoveryv1.Endpoint{pod("another's", nil)}},
	}
	slim := sliceCache{}
	for i := range full {
		o, err := workload.Slim(full[i].DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		slim.all = append(slim.all, *o.(*discoveryv1.EndpointSlice)) //nolint:forcetypeassert // that is the point
	}
	if cmp.Equal(full, slim.all) {
		t.Error("slim slices are whole")
	}
	want := []string{"10.0.0.7", "10.0.0.8", "ready", "untold"}
	for name, c := range map[string]sliceCache{"whole": {all: full}, "slim": slim} {
		got, err := (&Router{Client: c}).ReadyEndpoints(t.Context(), "shop", "svc")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s slices: %v (-want +got):\n%s", name, err, diff)
		}
	}
}
