package scaffold

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/route"
)

// httpRoute is what init needs of an HTTPRoute.
type httpRoute struct {
	Name string
	// Services that its rules name, and of each the path of the first rule that does; "" for all.
	Services map[string]string
	Hosts    []string
	// HTTPS: a listener that it is attached to ends TLS. Unseen if its Gateway could not be read.
	HTTPS, Unseen bool
}

// readRoutes reads the HTTPRoutes of a namespace. A cluster without the Gateway API has none.
func readRoutes(ctx context.Context, from client.Reader, namespace string) ([]httpRoute, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(route.HTTPRouteKind.GroupVersion().WithKind(route.HTTPRouteKind.Kind + "List"))
	err := from.List(ctx, list, client.InNamespace(namespace))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the HTTPRoutes of namespace %s: %w", namespace, err)
	}
	var all []httpRoute
	for i := range list.Items {
		if u := &list.Items[i]; !route.IsStandby(u) {
			all = append(all, readRoute(ctx, from, u))
		}
	}
	return all, nil
}

func readRoute(ctx context.Context, from client.Reader, u *unstructured.Unstructured) httpRoute {
	r := httpRoute{Name: u.GetName(), Services: map[string]string{}}
	r.Hosts, _, _ = unstructured.NestedStringSlice(u.Object, "spec", "hostnames")
	for _, rule := range listAt(u.Object, "spec", "rules") {
		for _, ref := range listAt(rule, "backendRefs") {
			name, _ := ref["name"].(string)
			kind, _ := ref["kind"].(string)
			namespace, _ := ref["namespace"].(string)
			if name == "" || kind != "" && kind != "Service" || namespace != "" && namespace != u.GetNamespace() {
				continue
			}
			if _, known := r.Services[name]; !known {
				r.Services[name] = pathOf(rule)
			}
		}
	}
	for _, parent := range listAt(u.Object, "spec", "parentRefs") {
		r.attach(ctx, from, u.GetNamespace(), parent)
	}
	return r
}

// attach looks at a Gateway that a route is attached to.
func (r *httpRoute) attach(ctx context.Context, from client.Reader, namespace string, parent object) {
	name, _ := parent["name"].(string)
	if own, _ := parent["namespace"].(string); own != "" {
		namespace = own
	}
	gateway := &unstructured.Unstructured{}
	gateway.SetGroupVersionKind(schema.GroupVersionKind{Group: route.HTTPRouteKind.Group, Version: "v1", Kind: "Gateway"})
	if err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, gateway); err != nil {
		r.Unseen = true
		return
	}
	section, _ := parent["sectionName"].(string)
	for _, listener := range listAt(gateway.Object, "spec", "listeners") {
		if named, _ := listener["name"].(string); section == "" || section == named {
			r.HTTPS = r.HTTPS || listener["protocol"] == "HTTPS"
		}
	}
}

// listAt is a list of objects in an object.
func listAt(o object, path ...string) []object {
	values, _, _ := unstructured.NestedFieldNoCopy(o, path...)
	var all []object
	items, _ := values.([]any)
	for _, item := range items {
		if m, ok := item.(object); ok {
			all = append(all, m)
		}
	}
	return all
}

// pathOf is the path of a rule's first match; "" for all.
func pathOf(rule object) string {
	matches := listAt(rule, "matches")
	if len(matches) == 0 {
		return ""
	}
	path, _ := matches[0]["path"].(object)
	value, _ := path["value"].(string)
	if path["type"] == "RegularExpression" {
		return ""
	}
	return strings.TrimSuffix(value, "/")
}

// url is where users reach a Service through the route; "" if no host shows it.
func (r *httpRoute) url(service string) string {
	for _, host := range r.Hosts {
		if strings.Contains(host, "*") {
			continue
		}
		if r.HTTPS || r.Unseen {
			return "https://" + host + r.Services[service]
		}
		return "http://" + host + r.Services[service]
	}
	return ""
}
