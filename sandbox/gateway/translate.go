package gateway

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// cluster is the controller's view of the API server's objects.
type cluster struct {
	controller string
	labels     map[string]map[string]string // of namespaces
	classes    []gatewayv1.GatewayClass
	gateways   []gatewayv1.Gateway
	routes     []gatewayv1.HTTPRoute
	// hasPort reports whether a Service exists and has a port.
	hasPort func(namespace, name string, port int32) (service, found bool)
}

// translation is what the load balancer does and what the status reports.
type translation struct {
	entries []entry
	// verdicts by route.
	verdicts map[string][]verdict
	// attached counts the routes of each listener of a Gateway.
	attached map[string]map[gatewayv1.SectionName]int32
}

// verdict is the controller's judgement of a route at one of its parents.
type verdict struct {
	parent             gatewayv1.ParentReference
	accepted, resolved reason
}

// reason is the reason of a condition. The condition is false if why is set.
type reason struct{ name, why string }

func (r reason) condition(kind string, generation int64) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: r.name, Message: r.why, ObservedGeneration: generation}
	if r.why != "" {
		c.Status = metav1.ConditionFalse
	}
	return c
}

func key(namespace, name string) string { return namespace + "/" + name }

// translate judges every route and makes the entries of the accepted ones. It is pure.
func translate(c cluster) translation {
	t := translation{verdicts: map[string][]verdict{}, attached: map[string]map[gatewayv1.SectionName]int32{}}
	for i := range c.routes {
		route := &c.routes[i]
		id := key(route.Namespace, route.Name)
		rules, resolved, unsupported := c.rules(route)
		for _, parent := range route.Spec.ParentRefs {
			gateway := c.gatewayOf(route, parent)
			if gateway == nil {
				continue
			}
			v := verdict{parent: parent, accepted: reason{name: string(gatewayv1.RouteReasonAccepted)}, resolved: resolved}
			hosts, listeners, why := c.hostsOf(gateway, route, parent)
			switch {
			case why.why != "":
				v.accepted = why
			case unsupported != "":
				v.accepted = reason{string(gatewayv1.RouteReasonUnsupportedValue), unsupported}
			default:
				t.attach(gateway, listeners)
				for _, host := range hosts {
					t.add(route, host, rules)
				}
			}
			t.verdicts[id] = append(t.verdicts[id], v)
		}
	}
	return t
}

func (t *translation) attach(gateway *gatewayv1.Gateway, listeners []gatewayv1.SectionName) {
	id := key(gateway.Namespace, gateway.Name)
	if t.attached[id] == nil {
		t.attached[id] = map[gatewayv1.SectionName]int32{}
	}
	for _, l := range listeners {
		t.attached[id][l]++
	}
}

// add adds the entries of a route under a host.
func (t *translation) add(route *gatewayv1.HTTPRoute, host string, rules []*rule) {
	for i := range route.Spec.Rules {
		all := route.Spec.Rules[i].Matches
		if len(all) == 0 {
			all = []gatewayv1.HTTPRouteMatch{{}}
		}
		for _, m := range all {
			t.entries = append(t.entries, entry{
				host: host, match: m, rule: rules[i], created: route.CreationTimestamp.Time, name: key(route.Namespace, route.Name), ruleIndex: i,
			})
		}
	}
}

// gatewayOf is the Gateway that a parentRef names, if this controller serves it.
func (c cluster) gatewayOf(route *gatewayv1.HTTPRoute, parent gatewayv1.ParentReference) *gatewayv1.Gateway {
	namespace := route.Namespace
	if parent.Namespace != nil {
		namespace = string(*parent.Namespace)
	}
	if parent.Kind != nil && *parent.Kind != "Gateway" || parent.Group != nil && *parent.Group != gatewayv1.GroupName {
		return nil
	}
	for i := range c.gateways {
		if g := &c.gateways[i]; g.Namespace == namespace && g.Name == string(parent.Name) && c.serves(g) {
			return g
		}
	}
	return nil
}

func (c cluster) serves(g *gatewayv1.Gateway) bool {
	return slices.ContainsFunc(c.classes, func(class gatewayv1.GatewayClass) bool {
		return class.Name == string(g.Spec.GatewayClassName) && string(class.Spec.ControllerName) == c.controller
	})
}

// hostsOf are the hosts of a route on a Gateway: those that both a listener and the route
// name (httproute_types.go, Hostnames).
func (c cluster) hostsOf(g *gatewayv1.Gateway, route *gatewayv1.HTTPRoute, parent gatewayv1.ParentReference) (
	hosts []string, attached []gatewayv1.SectionName, why reason,
) {
	named, allowed := false, false
	for _, l := range g.Spec.Listeners {
		if parent.SectionName != nil && *parent.SectionName != l.Name || parent.Port != nil && *parent.Port != l.Port {
			continue
		}
		named = true
		if !c.admits(g, l, route) {
			continue
		}
		allowed = true
		of := ""
		if l.Hostname != nil {
			of = string(*l.Hostname)
		}
		wanted := []gatewayv1.Hostname{""}
		if len(route.Spec.Hostnames) > 0 {
			wanted = route.Spec.Hostnames
		}
		before := len(hosts)
		for _, host := range wanted {
			if both, ok := intersect(of, string(host)); ok {
				hosts = append(hosts, both)
			}
		}
		if len(hosts) > before {
			attached = append(attached, l.Name)
		}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	switch {
	case !named:
		return nil, nil, reason{string(gatewayv1.RouteReasonNoMatchingParent), "the Gateway has no such listener"}
	case !allowed:
		return nil, nil, reason{string(gatewayv1.RouteReasonNotAllowedByListeners), "no listener allows routes of this namespace"}
	case len(hosts) == 0:
		return nil, nil, reason{string(gatewayv1.RouteReasonNoMatchingListenerHostname), "no listener has one of the route's hosts"}
	}
	return hosts, attached, reason{}
}

// admits reports whether a listener allows a route: by default one of its own namespace,
// otherwise one of any namespace or of those that a selector finds.
func (c cluster) admits(g *gatewayv1.Gateway, l gatewayv1.Listener, route *gatewayv1.HTTPRoute) bool {
	if l.Protocol != gatewayv1.HTTPProtocolType {
		return false
	}
	from := gatewayv1.NamespacesFromSame
	if l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil && l.AllowedRoutes.Namespaces.From != nil {
		from = *l.AllowedRoutes.Namespaces.From
	}
	if from == gatewayv1.NamespacesFromSelector {
		selector, err := metav1.LabelSelectorAsSelector(l.AllowedRoutes.Namespaces.Selector)
		return err == nil && selector.Matches(labels.Set(c.labels[route.Namespace]))
	}
	return from == gatewayv1.NamespacesFromAll || from == gatewayv1.NamespacesFromSame && route.Namespace == g.Namespace
}

// intersect returns the more specific of two hosts if one covers the other.
func intersect(listener, route string) (string, bool) {
	switch {
	case covers(listener, route):
		return route, true
	case covers(route, listener):
		return listener, true
	}
	return "", false
}

// covers reports whether a pattern covers every host of another.
func covers(pattern, other string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	if !wild {
		return pattern == "" || pattern == other
	}
	other = strings.TrimPrefix(other, "*")
	return len(other) >= len(suffix) && strings.HasSuffix(other, suffix)
}

// rules reads a route's rules. An invalid reference answers 500 for its share of the
// requests (httproute_types.go, BackendRefs).
func (c cluster) rules(route *gatewayv1.HTTPRoute) (all []*rule, resolved reason, unsupported string) {
	resolved = reason{name: string(gatewayv1.RouteReasonResolvedRefs)}
	for i, r := range route.Spec.Rules {
		for _, m := range r.Matches {
			if kind, _ := path(m); kind == gatewayv1.PathMatchRegularExpression {
				unsupported = fmt.Sprintf("rule %d matches the path by a regular expression", i)
			}
		}
		for _, f := range r.Filters {
			if !slices.Contains(supported, f.Type) {
				unsupported = fmt.Sprintf("rule %d has the filter %s", i, f.Type)
			}
		}
		one := &rule{filters: r.Filters}
		for _, ref := range r.BackendRefs {
			b, why := c.backend(route.Namespace, ref)
			if why.why != "" {
				resolved = why
			}
			if len(ref.Filters) > 0 {
				unsupported = fmt.Sprintf("rule %d has filters of a backendRef", i)
			}
			one.backends = append(one.backends, b)
		}
		all = append(all, one)
	}
	return all, resolved, unsupported
}

// supported are the filters that this load balancer has.
var supported = []gatewayv1.HTTPRouteFilterType{ //nolint:gochecknoglobals // a constant list
	gatewayv1.HTTPRouteFilterRequestHeaderModifier, gatewayv1.HTTPRouteFilterResponseHeaderModifier, gatewayv1.HTTPRouteFilterRequestRedirect,
}

// backend reads a reference. Its default weight is 1 (shared_types.go, BackendRef).
// References into other namespaces are refused, since there are no grants here.
func (c cluster) backend(namespace string, ref gatewayv1.HTTPBackendRef) (backend, reason) {
	b := backend{weight: 1}
	if ref.Weight != nil {
		b.weight = int(*ref.Weight)
	}
	switch {
	case ref.Kind != nil && *ref.Kind != "Service" || ref.Group != nil && *ref.Group != "":
		return b, reason{string(gatewayv1.RouteReasonInvalidKind), "a backendRef is not a Service: " + string(ref.Name)}
	case ref.Namespace != nil && string(*ref.Namespace) != namespace:
		return b, reason{string(gatewayv1.RouteReasonRefNotPermitted), "a backendRef is in another namespace: " + string(ref.Name)}
	case ref.Port == nil:
		return b, reason{string(gatewayv1.RouteReasonBackendNotFound), "a backendRef has no port: " + string(ref.Name)}
	}
	port := int32(*ref.Port)
	if service, found := c.hasPort(namespace, string(ref.Name), port); !found {
		what := fmt.Sprintf("Service %s does not exist", ref.Name)
		if service {
			what = fmt.Sprintf("Service %s has no port %d", ref.Name, port)
		}
		return b, reason{string(gatewayv1.RouteReasonBackendNotFound), what}
	}
	b.service = fmt.Sprintf("%s:%d", key(namespace, string(ref.Name)), port)
	return b, reason{}
}
