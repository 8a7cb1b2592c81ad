package record

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// githubApply returns the object to apply: identity and status.github alone.
func githubApply(rel *v1alpha1.Release, s v1alpha1.GitHubStatus) (*unstructured.Unstructured, error) {
	github, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&s)
	if err != nil {
		return nil, fmt.Errorf("encoding status.github: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"github": github}}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Release"))
	u.SetNamespace(rel.Namespace)
	u.SetName(rel.Name)
	return u, nil
}
