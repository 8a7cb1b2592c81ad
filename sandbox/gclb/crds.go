package gclb

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// definition is a custom resource of Google's controllers.
type definition struct{ group, version, kind, plural, scope string }

// definitions are those that the controllers install, and those that GKE installs: one which they wait
// for if several subnets are allowed, and the one of certificates, which nothing here issues.
var definitions = []definition{ //nolint:gochecknoglobals // a table
	{"cloud.google.com", "v1", "BackendConfig", "backendconfigs", "Namespaced"},
	{"networking.gke.io", "v1beta1", "FrontendConfig", "frontendconfigs", "Namespaced"},
	{"networking.gke.io", "v1beta1", "ServiceNetworkEndpointGroup", "servicenetworkendpointgroups", "Namespaced"},
	{"networking.gke.io", "v1", "NodeTopology", "nodetopologies", "Cluster"},
	{"networking.gke.io", "v1", "ManagedCertificate", "managedcertificates", "Namespaced"},
}

// announce creates the definitions, empty, before the controllers replace them with their own.
// For each missing one they would wait a second, one after the other.
func announce(ctx context.Context, client dynamic.Interface) error {
	kinds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, d := range definitions {
		object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"group": d.group, "scope": d.scope,
			"names": map[string]any{"kind": d.kind, "plural": d.plural},
			"versions": []any{map[string]any{
				"name": d.version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		}}}
		object.SetAPIVersion("apiextensions.k8s.io/v1")
		object.SetKind("CustomResourceDefinition")
		object.SetName(d.plural + "." + d.group)
		if _, err := kinds.Create(ctx, object, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating %s: %w", object.GetName(), err)
		}
	}
	return nil
}
