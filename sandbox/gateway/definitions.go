package gateway

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
)

// Definitions returns the directory of the Gateway API's CRDs (standard channel) in its
// module. It asks the go command in a module's directory, so the CRDs have the version of
// that module's go.mod.
func Definitions(ctx context.Context, module string) (dir string, err error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	list.Dir = module
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("finding the module of the Gateway API: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard"), nil
}

// policyKind is one of GKE's policies for a Service.
func policyKind(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "networking.gke.io", Version: "v1", Resource: resource}
}

// announce creates the CRDs of GKE's policies, without a schema. This load balancer uses
// only the path of a HealthCheckPolicy.
func announce(ctx context.Context, client dynamic.Interface) error {
	definitions := client.Resource(schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1",
		Resource: "customresourcedefinitions",
	})
	for kind, plural := range map[string]string{"HealthCheckPolicy": "healthcheckpolicies", "GCPBackendPolicy": "gcpbackendpolicies"} {
		object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"group": "networking.gke.io", "scope": "Namespaced",
			"names": map[string]any{"kind": kind, "plural": plural},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		}}}
		object.SetAPIVersion("apiextensions.k8s.io/v1")
		object.SetKind("CustomResourceDefinition")
		object.SetName(plural + ".networking.gke.io")
		if _, err := definitions.Create(ctx, object, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating %s: %w", object.GetName(), err)
		}
		err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, servedTimeout, true, func(ctx context.Context) (bool, error) {
			_, err := client.Resource(policyKind(plural)).List(ctx, metav1.ListOptions{Limit: 1})
			return err == nil, nil
		})
		if err != nil {
			return fmt.Errorf("waiting until %s is served: %w", object.GetName(), err)
		}
	}
	return nil
}

// servedTimeout bounds the wait until the API server serves a new definition.
const servedTimeout = 30 * time.Second

// healthPath is the path of a Service's health checks: that of its HealthCheckPolicy, or
// / (github.com/artifact-keeper/artifact-keeper-iac/issues/125).
func healthPath(policies []unstructured.Unstructured, namespace, service string) string {
	for i := range policies {
		spec, _, _ := unstructured.NestedMap(policies[i].Object, "spec")
		target, _, _ := unstructured.NestedString(spec, "targetRef", "name")
		path, found, _ := unstructured.NestedString(spec, "default", "config", "httpHealthCheck", "requestPath")
		if policies[i].GetNamespace() == namespace && target == service && found {
			return path
		}
	}
	return "/"
}
