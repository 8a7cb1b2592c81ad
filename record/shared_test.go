package record_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// sharing is a cache that hands out its own objects to whoever asks for them uncopied.
type sharing struct {
	client.Client
	all v1alpha1.BlueGreenList
}

func (s *sharing) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	found := list.(*v1alpha1.BlueGreenList)
	if slices.Contains(opts, client.ListOption(client.UnsafeDisableDeepCopy)) {
		found.Items = slices.Clone(s.all.Items)
		return nil
	}
	s.all.DeepCopyInto(found)
	return nil
}

func (*sharing) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	o.(*corev1.Namespace).Annotations = map[string]string{v1alpha1.RepositoriesAnnotation: "acme/*"}
	return nil
}

// Whoever asks for applications may change what they get, whatever the cache shares.
func TestApplicationsAreTheCallersOwn(t *testing.T) {
	labels := map[string]string{"team": "web"}
	app := v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", Labels: maps.Clone(labels)}}
	app.Spec.Repository = "acme/shop"
	cache := &sharing{all: v1alpha1.BlueGreenList{Items: []v1alpha1.BlueGreen{app}}}
	got, err := (&record.Record{Client: cache, Reader: cache}).Applications(t.Context(), "acme/shop", 0)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d applications, %v", len(got), err)
	}
	got[0].Labels["team"] = "mine"
	if !maps.Equal(cache.all.Items[0].Labels, labels) {
		t.Errorf("the cache now has the labels %v", cache.all.Items[0].Labels)
	}
}
