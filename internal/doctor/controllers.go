package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// takesUp is how long a controller may take before it gives a new Ingress an address. Google's
// takes a few minutes.
const takesUp = 15 * time.Minute

// controllers checks that something programs each application's Ingress or HTTPRoute. Whether
// the routes are right is for preflight.
func (w *World) controllers(ctx context.Context) ([]Finding, error) {
	var found []Finding
	var errs []error
	for i := range w.Applications {
		look := w.ingress
		if w.Applications[i].Spec.Gateway != nil {
			look = w.httpRoute
		}
		f, err := look(ctx, &w.Applications[i])
		if f != nil {
			found = append(found, *f)
		}
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

// ingress returns a finding about an application's Ingress, or nil.
func (w *World) ingress(ctx context.Context, bg *v1alpha1.BlueGreen) (*Finding, error) {
	in := &networkingv1.Ingress{}
	f := Finding{Severity: SeverityWarning, Object: named("ingress", bg.Namespace, bg.IngressName()), Users: EffectRoutes}
	err := w.Kube.Get(ctx, client.ObjectKey{Namespace: bg.Namespace, Name: bg.IngressName()}, in)
	if apierrors.IsNotFound(err) {
		return nil, nil // a condition says so
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Object, err)
	}
	if class := in.Spec.IngressClassName; class != nil {
		err := w.Kube.Get(ctx, client.ObjectKey{Name: *class}, &networkingv1.IngressClass{})
		if apierrors.IsNotFound(err) {
			f.Code, f.Field = CodeNoClass, "spec.ingressClassName"
			f.Message = fmt.Sprintf("it names the class %q, which does not exist, so perhaps no controller reads it: name one that exists", *class)
			f.Commands = commands(v1alpha1.Shell("kubectl", "get", "ingressclass"), v1alpha1.Kubectl("edit", "ingress", in.Name, in.Namespace))
			return &f, nil
		}
		if apierrors.IsForbidden(err) { // the owner of a namespace need not have this right
			f.Code, f.Severity, f.Field, f.Users = CodeUnchecked, SeverityNote, "spec.ingressClassName", ""
			f.Message = fmt.Sprintf("you may not read the class %q, so whether it exists was not checked", *class)
			return &f, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading ingressclass %s: %w", *class, err)
		}
	}
	if len(in.Status.LoadBalancer.Ingress) > 0 || time.Since(in.CreationTimestamp.Time) < takesUp {
		return nil, nil
	}
	f.Code, f.Field = CodeNoController, "status.loadBalancer"
	f.Message = "no controller has given it an address, so no switch can reach users: its events say why, and a class names the controller"
	f.Commands = commands(v1alpha1.Kubectl("describe", "ingress", in.Name, in.Namespace))
	return &f, nil
}

func (w *World) httpRoute(ctx context.Context, bg *v1alpha1.BlueGreen) (*Finding, error) {
	route := &unstructured.Unstructured{}
	route.SetAPIVersion("gateway.networking.k8s.io/v1")
	route.SetKind("HTTPRoute")
	name := bg.Spec.Gateway.Route
	f := Finding{Severity: SeverityWarning, Object: named("httproute", bg.Namespace, name), Users: EffectRoutes}
	err := w.Kube.Get(ctx, client.ObjectKey{Namespace: bg.Namespace, Name: name}, route)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil // a condition says so
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Object, err)
	}
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	if len(parents) > 0 || time.Since(route.GetCreationTimestamp().Time) < takesUp {
		return nil, nil
	}
	f.Code, f.Field = CodeNoController, "status.parents"
	f.Message = "no Gateway has taken it up, so no switch can reach users: its spec.parentRefs name them, and their GatewayClass the " +
		"controller"
	f.Commands = commands(v1alpha1.Kubectl("describe", "httproute", name, bg.Namespace), v1alpha1.Shell("kubectl", "get", "gatewayclass"))
	return &f, nil
}
