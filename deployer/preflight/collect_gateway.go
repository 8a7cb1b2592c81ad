package preflight

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// lookAtGateways reads what is known about an application's Gateways, and who wrote its route.
func lookAtGateways(ctx context.Context, from client.Reader, f *Facts) (g Gateways, managers []metav1.ManagedFieldsEntry, err error) {
	g.Others = map[v1alpha1.Color][]route.Follower{}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(route.HTTPRouteKind)
	err = from.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: f.Routes.Name}, object)
	if client.IgnoreNotFound(err) != nil {
		return g, nil, fmt.Errorf("reading %s: %w", f.Routes, err)
	}
	if err = readClasses(ctx, from, object, &g); err != nil {
		return g, nil, err
	}
	if g.Health, err = readPolicies(ctx, from, f.App, "HealthCheckPolicy"); err != nil {
		return g, nil, err
	}
	if g.Backend, err = readPolicies(ctx, from, f.App, "GCPBackendPolicy"); err != nil {
		return g, nil, err
	}
	for _, c := range both {
		users, err := route.FollowedBy(ctx, from, f.App.Namespace, f.App.Side(c).Service)
		if err != nil {
			return g, nil, err
		}
		g.Unseen = users.Unseen
		for _, u := range users.By {
			if u != (route.Follower{Kind: "httproute", Namespace: f.App.Namespace, Name: f.Routes.Name}) {
				g.Others[c] = append(g.Others[c], u)
			}
		}
	}
	return g, object.GetManagedFields(), nil
}

// readClasses reads the classes of a route's parent Gateways. A Gateway that may not be read, in
// another namespace, is only named.
func readClasses(ctx context.Context, from client.Reader, object *unstructured.Unstructured, into *Gateways) error {
	spec, _, _ := unstructured.NestedMap(object.Object, "spec")
	gateways, err := route.ParentGateways(ctx, from, object.GetNamespace(), spec)
	if err != nil {
		return err
	}
	into.Classes = map[string]string{}
	for _, g := range gateways {
		if g.Readable {
			into.Classes[g.Ref] = g.Class
		} else {
			into.Unread = append(into.Unread, g.Ref)
		}
	}
	return nil
}

// readPolicies reads GKE's policies of a kind that target the colours' Services.
func readPolicies(ctx context.Context, from client.Reader, app *v1alpha1.BlueGreen, kind string) (map[v1alpha1.Color]map[string]any,
	error,
) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "networking.gke.io", Version: "v1", Kind: kind + "List"})
	err := from.List(ctx, list, client.InNamespace(app.Namespace))
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing %ss of namespace %s: %w", strings.ToLower(kind), app.Namespace, err)
	}
	found := map[v1alpha1.Color]map[string]any{}
	for i := range list.Items {
		spec, _, _ := unstructured.NestedMap(list.Items[i].Object, "spec")
		target, _ := spec["targetRef"].(map[string]any)
		for _, c := range both {
			if target["kind"] == "Service" && target["name"] == app.Side(c).Service && (target["group"] == "" || target["group"] == nil) {
				delete(spec, "targetRef")
				found[c] = spec
			}
		}
	}
	return found, nil
}
