package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// rights lists what a role in a file allows.
func rights(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.Role // a ClusterRole has the same rules
	if err := yaml.Unmarshal(text, &role); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, strings.TrimSuffix(resource+"."+group, ".")+" "+verb)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestRoleOfOneNamespaceIsTheClustersButForNamespaces(t *testing.T) {
	t.Parallel()
	want := slices.DeleteFunc(rights(t, "rbac/role.yaml"), func(r string) bool {
		return r == "namespaces list" || r == "namespaces watch" || r == "releases.turnout.dev attest" ||
			strings.Contains(r, ".admissionregistration.k8s.io ")
	})
	if diff := cmp.Diff(want, rights(t, "namespaced/served/role.yaml")); diff != "" {
		t.Errorf("namespaced/served/role.yaml (-want +got)\n%s", diff)
	}
}

func TestNamespacedInstallHasNothingClusterWide(t *testing.T) {
	t.Parallel()
	var kinds []string
	for _, object := range buildOf(t, "namespaced") {
		kinds = append(kinds, object.GetKind())
		if object.GetNamespace() != "turnout" {
			t.Errorf("%s %s is in the namespace %q", object.GetKind(), object.GetName(), object.GetNamespace())
		}
		if object.GetKind() != "Deployment" {
			continue
		}
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"name: TURNOUT_NAMESPACES", "image: " + deployment(t).Spec.Template.Spec.Containers[0].Image + "\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the Deployment has no %q: %s", want, text)
			}
		}
	}
	slices.Sort(kinds)
	if diff := cmp.Diff([]string{"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Role", "RoleBinding", "Service", "ServiceAccount"},
		kinds); diff != "" {
		t.Errorf("kinds (-want +got)\n%s", diff)
	}
	for _, role := range []string{"rbac/role.yaml", "rbac/own.yaml", "namespaced/served/role.yaml", "namespaced/attest.yaml"} {
		text, err := os.ReadFile(role)
		if err != nil {
			t.Fatal(err)
		}
		if rules := strings.SplitN(string(text), "rules:", 2)[1]; strings.Contains(rules, "rbac.authorization.k8s.io]") ||
			strings.Contains(rules, "escalate") || strings.Contains(rules, "bind]") {
			t.Errorf("%s has rights on roles", role)
		}
	}
}
