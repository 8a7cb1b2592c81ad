package gclb

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

//go:embed crd/*.yaml
var definitions embed.FS

// definitionTimeout bounds the wait for the API server to serve a new kind.
const definitionTimeout = 30 * time.Second

// install creates the custom resources that GKE has, and waits until they are
// served. One that is there already stays as it is.
func install(ctx context.Context, client dynamic.Interface) error {
	kinds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	files, err := fs.Glob(definitions, "crd/*.yaml")
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := definitions.ReadFile(name)
		if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &object.Object); err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		_, err = client.Resource(kinds).Create(ctx, object, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating %s: %w", object.GetName(), err)
		}
	}
	for _, kind := range []schema.GroupVersionResource{svcNegs, backendConfigs} {
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, definitionTimeout, true, func(ctx context.Context) (bool, error) {
			_, err := client.Resource(kind).List(ctx, metav1.ListOptions{Limit: 1})
			return err == nil, nil
		})
		if err != nil {
			return fmt.Errorf("waiting until the API server serves %s: %w", kind.Resource, err)
		}
	}
	return nil
}
