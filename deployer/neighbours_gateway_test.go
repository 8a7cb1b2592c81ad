package deployer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/internal/controlplane"
)

// routeKind is the definition of a kind of routes. Turnout reads its rules alone, whatever their fields.
const routeKind = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[2]ss.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "https://github.com/kubernetes-sigs/gateway-api/pull/4530"}
spec:
  group: gateway.networking.k8s.io
  names: {kind: %[1]s, listKind: %[1]sList, plural: %[2]ss, singular: %[2]s}
  scope: Namespaced
  versions:
  - name: %[3]s
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
`

// Routes of every kind and namespace that lead to a Service are found. Who may list only those of the
// Service's namespace finds these, and is told so.
func TestRoutesOfEveryKindAndNamespaceAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kinds := map[string]string{"GRPCRoute": "v1", "TLSRoute": "v1", "TCPRoute": "v1alpha2"}
	for kind, version := range kinds {
		text := fmt.Sprintf(routeKind, kind, strings.ToLower(kind), version)
		check(t, os.WriteFile(filepath.Join(dir, kind+".yaml"), []byte(text), 0o600))
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDs: []string{"../config/crd", "testdata/gke", "testdata/gateway"}})
	check(t, err)
	t.Cleanup(plane.Stop)
	_, err = envtest.InstallCRDs(plane.Config, envtest.CRDInstallOptions{Paths: []string{dir}, MaxTime: 30 * time.Second})
	check(t, err)
	shop, edge := emptyWorld(t, plane.Config, nil), emptyWorld(t, plane.Config, nil)
	kinds["HTTPRoute"] = "v1"
	var inShop, everywhere []string
	for kind, version := range kinds {
		for _, w := range []*world{shop, edge} {
			for name, weight := range map[string]int64{"leads": 1, "leads-nobody": 0} {
				u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"rules": []any{map[string]any{"backendRefs": []any{
					map[string]any{"name": "svc", "namespace": shop.namespace, "port": int64(80), "weight": weight},
				}}}}}}
				u.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: version, Kind: kind})
				u.SetNamespace(w.namespace)
				u.SetName(name)
				w.create(u)
			}
			found := fmt.Sprintf("%s %s/leads", strings.ToLower(kind), w.namespace)
			everywhere = append(everywhere, found)
			if w == shop {
				inShop = append(inShop, found)
			}
		}
	}
	shop.create(&rbacv1.Role{ObjectMeta: shop.meta("reader"), Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"gateway.networking.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"list"},
	}}})
	shop.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.namespace, Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "narrow"}},
	})
	cfg := rest.CopyConfig(plane.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "narrow"}
	narrow, err := client.New(cfg, client.Options{Scheme: scheme()})
	check(t, err)
	for name, tt := range map[string]struct {
		from   client.Client
		want   []string
		unseen []string
	}{
		"everywhere": {shop.kube, everywhere, nil},
		"in its own": {narrow, inShop, []string{"grpcroute", "httproute", "tcproute", "tlsroute"}},
	} {
		found, err := route.FollowedBy(t.Context(), tt.from, shop.namespace, "svc")
		check(t, err)
		var got []string
		for _, u := range found.By {
			got = append(got, u.String())
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(tt.want)), slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(tt.unseen, slices.Sorted(slices.Values(found.Unseen))); diff != "" {
			t.Errorf("%s, unseen (-want +got):\n%s", name, diff)
		}
	}
}
