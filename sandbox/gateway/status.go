package gateway

import (
	"context"
	"reflect"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// report writes the status of the objects for the generations that were applied.
func (b *balancer) report(ctx context.Context, c cluster, t translation) {
	for i := range c.classes {
		if class := c.classes[i].DeepCopy(); string(class.Spec.ControllerName) == b.config.Controller {
			meta.SetStatusCondition(&class.Status.Conditions,
				yes(string(gatewayv1.GatewayClassConditionStatusAccepted), "Accepted", class.Generation))
			b.write(ctx, classKind, class, c.classes[i].Status, class.Status)
		}
	}
	for i := range c.gateways {
		if g := c.gateways[i].DeepCopy(); c.serves(g) {
			b.reportGateway(g, t)
			b.write(ctx, gatewayKind, g, c.gateways[i].Status, g.Status)
		}
	}
	for i := range c.routes {
		r := c.routes[i].DeepCopy()
		r.Status.Parents = parentsOf(r, t.verdicts[key(r.Namespace, r.Name)], b.config.Controller)
		b.write(ctx, routeKind, r, c.routes[i].Status, r.Status)
	}
}

func yes(kind, name string, generation int64) metav1.Condition {
	return reason{name: name}.condition(kind, generation)
}

func (b *balancer) reportGateway(g *gatewayv1.Gateway, t translation) {
	for _, kind := range []gatewayv1.GatewayConditionType{gatewayv1.GatewayConditionAccepted, gatewayv1.GatewayConditionProgrammed} {
		meta.SetStatusCondition(&g.Status.Conditions, yes(string(kind), string(kind), g.Generation))
	}
	if b.config.Address != "" {
		kind := gatewayv1.IPAddressType
		g.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Type: &kind, Value: b.config.Address}}
	}
	before := g.Status.Listeners
	g.Status.Listeners = nil
	for _, l := range g.Spec.Listeners {
		group := gatewayv1.Group(gatewayv1.GroupName)
		s := gatewayv1.ListenerStatus{
			Name: l.Name, AttachedRoutes: t.attached[key(g.Namespace, g.Name)][l.Name],
			SupportedKinds: []gatewayv1.RouteGroupKind{{Group: &group, Kind: "HTTPRoute"}},
		}
		if i := slices.IndexFunc(before, func(old gatewayv1.ListenerStatus) bool { return old.Name == l.Name }); i >= 0 {
			s.Conditions = before[i].Conditions
		}
		for kind, name := range map[gatewayv1.ListenerConditionType]string{
			gatewayv1.ListenerConditionAccepted: "Accepted", gatewayv1.ListenerConditionProgrammed: "Programmed",
			gatewayv1.ListenerConditionResolvedRefs: "ResolvedRefs",
		} {
			meta.SetStatusCondition(&s.Conditions, yes(string(kind), name, g.Generation))
		}
		slices.SortFunc(s.Conditions, func(a, b metav1.Condition) int { return compare(a.Type, b.Type) })
		g.Status.Listeners = append(g.Status.Listeners, s)
	}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parentsOf is the status of a route: other controllers' entries stay, and this
// controller's are replaced (shared_types.go, RouteStatus).
func parentsOf(r *gatewayv1.HTTPRoute, verdicts []verdict, controller string) []gatewayv1.RouteParentStatus {
	parents := slices.DeleteFunc(slices.Clone(r.Status.Parents), func(p gatewayv1.RouteParentStatus) bool {
		return string(p.ControllerName) == controller
	})
	for _, v := range verdicts {
		p := gatewayv1.RouteParentStatus{ParentRef: v.parent, ControllerName: gatewayv1.GatewayController(controller)}
		for _, old := range r.Status.Parents {
			if string(old.ControllerName) == controller && reflect.DeepEqual(old.ParentRef, v.parent) {
				p.Conditions = slices.Clone(old.Conditions)
			}
		}
		meta.SetStatusCondition(&p.Conditions, v.accepted.condition(string(gatewayv1.RouteConditionAccepted), r.Generation))
		meta.SetStatusCondition(&p.Conditions, v.resolved.condition(string(gatewayv1.RouteConditionResolvedRefs), r.Generation))
		if controller == GKE {
			meta.SetStatusCondition(&p.Conditions, yes("Reconciled", "ReconciliationSucceeded", r.Generation))
		}
		parents = append(parents, p)
	}
	return parents
}

// write writes a status that changed. After a conflict the controller looks again.
func (b *balancer) write(ctx context.Context, kind schema.GroupVersionResource, o metav1.Object, before, after any) {
	if reflect.DeepEqual(before, after) {
		return
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		b.config.Log.ErrorContext(ctx, "encoding a status", "kind", kind.Resource, "name", o.GetName(), "error", err)
		return
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetAPIVersion(gatewayAPI.String())
	u.SetKind(map[schema.GroupVersionResource]string{classKind: "GatewayClass", gatewayKind: "Gateway", routeKind: "HTTPRoute"}[kind])
	var into dynamic.ResourceInterface = b.api.Resource(kind)
	if o.GetNamespace() != "" {
		into = b.api.Resource(kind).Namespace(o.GetNamespace())
	}
	if _, err := into.UpdateStatus(ctx, u, metav1.UpdateOptions{}); err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
		if apierrors.IsConflict(err) {
			b.tell()
			return
		}
		b.config.Log.ErrorContext(ctx, "writing a status", "kind", kind.Resource, "name", o.GetName(), "error", err)
	}
}
