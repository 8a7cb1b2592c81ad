// Package config_test applies what config/ describes to a real API server, and
// holds what Turnout may do against what its code does.
package config_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/internal/controlplane"
)

// build is what `kustomize build config` gives.
func build(t *testing.T) []*unstructured.Unstructured { return buildOf(t, ".") }

func buildOf(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, object); err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
	return all
}

func admin(t *testing.T, cp *controlplane.ControlPlane) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(cp.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func await(t *testing.T, what string, holds func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true,
		func(ctx context.Context) (bool, error) { return holds(ctx), nil })
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

func TestEverythingAppliesToAnEmptyCluster(t *testing.T) {
	t.Parallel()
	cp, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cp.Stop)
	c := admin(t, cp)
	kinds := map[string]int{}
	for _, object := range build(t) {
		kinds[object.GetKind()]++
		// As `kubectl apply --server-side` does, twice: what is there is no obstacle.
		for range 2 {
			if err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("test")); err != nil {
				t.Fatalf("applying %s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	}
	want := map[string]int{
		"Namespace": 1, "CustomResourceDefinition": 3, "ServiceAccount": 1, "ClusterRole": 4, "ClusterRoleBinding": 1, "Role": 1, "RoleBinding": 1, "Deployment": 1, "Service": 1,
		"ValidatingAdmissionPolicy": 2, "ValidatingAdmissionPolicyBinding": 2,
		"PodDisruptionBudget": 1, "NetworkPolicy": 1,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	for _, name := range []string{"bluegreens.turnout.dev", "deliveries.turnout.dev", "releases.turnout.dev"} {
		await(t, name+" to be established", func(ctx context.Context) bool {
			crd := &apiextensionsv1.CustomResourceDefinition{}
			if err := c.Get(ctx, client.ObjectKey{Name: name}, crd); err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
				return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
			})
		})
	}
	// The Deployment's pods are made, so that its service account, its template and
	// its security context are in order.
	await(t, "the Deployment's pods", func(ctx context.Context) bool {
		d := &appsv1.Deployment{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: "turnout", Name: "turnout"}, d); err != nil {
			t.Fatal(err)
		}
		return d.Status.Replicas == 2
	})
	await(t, "edit to include BlueGreens", func(ctx context.Context) bool {
		role := &rbacv1.ClusterRole{}
		if err := c.Get(ctx, client.ObjectKey{Name: "edit"}, role); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "bluegreens") })
	})
}

// reasons are the rights that Turnout's code uses, and what for. Whoever adds one
// to the role says here what needs it; whoever takes the code away finds it here.
var reasons = map[string]string{
	"namespaces get,list,watch":                                                           "deployer/observe.go reads the grant, through the cache",
	"pods get,list,watch":                                                                 "deployer/workload reads why a pod is not ready, through the cache",
	"pods/log get":                                                                        "deployer/workload/evidence.go: the last lines of what crashed",
	"pods/exec create,get":                                                                "deployer/gate/exec.go: spec.gate.exec; get is asked for a WebSocket",
	"pods/proxy get":                                                                      "deployer/gate/access.go: the gate outside the cluster",
	"services create,get,list,watch":                                                      "deployer/workload/missing.go makes a missing one",
	"events get,list,watch":                                                               "deployer/workload reads quota and scheduling failures, deployer/route what the load balancer says",
	"deployments.apps create,get,list,patch,watch":                                        "deployer/workload/stage.go, which shrinks a colour, too; missing.go makes a missing one",
	"replicasets.apps get,list,watch":                                                     "deployer/workload/observe.go: the pods of the new template only",
	"ingresses.networking.k8s.io get,list,patch,watch":                                    "deployer/route",
	"servicenetworkendpointgroups.networking.gke.io get":                                  "deployer/route: warm",
	"backendconfigs.cloud.google.com get":                                                 "deployer/preflight; deployer/route/translate.go, right before a patch",
	"endpointslices.discovery.k8s.io get,list,watch":                                      "deployer/route: warm",
	"horizontalpodautoscalers.autoscaling get,list,patch,watch":                           "deployer/workload/autoscaler.go: size, and the raised minimum",
	"poddisruptionbudgets.policy list":                                                    "deployer/workload/protection.go: a colour that has none is told of",
	"events.events.k8s.io create,patch":                                                   "deployer/inspect.go tells of conditions",
	"bluegreens.turnout.dev get,list,watch":                                               "deployer/record",
	"bluegreens.turnout.dev/status update":                                                "deployer/record/claim.go",
	"bluegreens.turnout.dev/finalizers update":                                            "releases are owned by their BlueGreen (OwnerReferencesPermissionEnforcement)",
	"releases.turnout.dev attest,create,delete,get,list,update,watch":                     "deployer/record; update sets approval and cancel; attest is what config/policy asks for",
	"validatingadmissionpolicies.admissionregistration.k8s.io get turnout-releases":       "deployer/attest.go",
	"validatingadmissionpolicybindings.admissionregistration.k8s.io get turnout-releases": "deployer/attest.go",
	"releases.turnout.dev/status patch,update":                                            "deployer/record; patch publishes what GitHub was told",
}

func TestRoleHasNothingThatNoCodeUses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("rbac/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, rule := range role.Rules {
		if len(rule.NonResourceURLs) > 0 {
			t.Errorf("a rule that this test does not understand: %v", rule)
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				got[strings.Join(append([]string{right(group, resource, rule.Verbs)}, rule.ResourceNames...), " ")] = true
			}
		}
	}
	for _, r := range slices.Sorted(maps.Keys(got)) {
		if reasons[r] == "" {
			t.Errorf("the role allows %q, and nobody says what for", r)
		}
	}
	for r, reason := range reasons {
		if !got[r] {
			t.Errorf("the role does not allow %q: %s", r, reason)
		}
	}
}

// right writes "resource.group/subresource verb,verb".
func right(group, resource string, verbs []string) string {
	name, sub, isSub := strings.Cut(resource, "/")
	if group != "" {
		name += "." + group
	}
	if isSub {
		name += "/" + sub
	}
	verbs = slices.Sorted(slices.Values(verbs))
	return name + " " + strings.Join(verbs, ",")
}
