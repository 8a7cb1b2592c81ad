package route

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lists reads all Ingresses of a namespace, and all routes of the Gateway API, past any cache. Each
// release needs them, and a namespace may have a thousand, so releases share them.
type lists struct {
	ingresses sharing[string, []networkingv1.Ingress] // by namespace
	routes    sharing[routesAsked, []unstructured.Unstructured]
}

// routesAsked is what routes are listed: those of a kind, in a namespace or everywhere.
type routesAsked struct {
	namespace string
	kind      schema.GroupVersionKind
}

func (l *lists) allIngresses(ctx context.Context, from client.Reader, namespace string) ([]networkingv1.Ingress, error) {
	return l.ingresses.ask(ctx, namespace, func(ctx context.Context) ([]networkingv1.Ingress, error) {
		var list networkingv1.IngressList
		err := from.List(ctx, &list, client.InNamespace(namespace))
		return list.Items, err //nolint:wrapcheck // whoever asks does
	})
}

// allRoutes is a [lister].
func (l *lists) allRoutes(from client.Reader) lister {
	return func(ctx context.Context, namespace string, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error) {
		return l.routes.ask(ctx, routesAsked{namespace, kind}, func(ctx context.Context) ([]unstructured.Unstructured, error) {
			return listing(from)(ctx, namespace, kind)
		})
	}
}

// lister lists the routes of a kind in a namespace, or in all if that is "".
type lister func(ctx context.Context, namespace string, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error)

func listing(from client.Reader) lister {
	return func(ctx context.Context, namespace string, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := from.List(ctx, list, client.InNamespace(namespace))
		return list.Items, err //nolint:wrapcheck // routesOf does
	}
}
