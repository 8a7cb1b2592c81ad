package route

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// gatewayGroup is the API group of the Gateway API.
const gatewayGroup = "gateway.networking.k8s.io"

// HTTPRouteKind is the route that a BlueGreen's spec.gateway names.
var HTTPRouteKind = schema.GroupVersionKind{Group: gatewayGroup, Version: "v1", Kind: "HTTPRoute"}

// list and fields read a value of an unstructured object; a value of another type counts as
// missing.
func list(value any) []any            { all, _ := value.([]any); return all }
func fields(value any) map[string]any { m, _ := value.(map[string]any); return m }
func text(value any) string           { s, _ := value.(string); return s }

// whole reads a number, or returns the default.
func whole(value any, otherwise int64) int64 {
	switch n := value.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return otherwise
}

// ReadHTTPRoute derives the state of an application from its HTTPRoute and from its
// standby route, as the API server returned them. A nil route does not exist.
func ReadHTTPRoute(bg *v1alpha1.BlueGreen, route, standby *unstructured.Unstructured) track.Routes {
	s := track.Routes{
		Name:         bg.Spec.Gateway.Route,
		Users:        map[v1alpha1.Color][]track.Backend{},
		Standby:      map[v1alpha1.Color][]track.Backend{},
		LoadBalancer: v1alpha1.LoadBalancerGateway,
		Gateway:      &track.Gateway{Standby: track.Standby{Name: bg.StandbyRoute()}},
	}
	if route == nil {
		return s
	}
	annotations := route.GetAnnotations()
	s.Exists = true
	s.UID, s.Generation = string(route.GetUID()), route.GetGeneration()
	s.Version, s.Fence = route.GetResourceVersion(), annotations[v1alpha1.FenceAnnotation]
	s.Annotated = len(annotations) > 0
	s.Spec = fields(route.Object["spec"])
	s.Gateway.Parents = parentsOf(route)
	s.Gateway.Refusals = refusals(bg, s.Spec)
	host := ""
	if hosts := list(s.Spec["hostnames"]); len(hosts) > 0 {
		host = text(hosts[0])
	}
	for i, r := range list(s.Spec["rules"]) {
		rule := ruleOf(bg, i, fields(r))
		if len(rule.Refs) == 0 {
			continue
		}
		s.Gateway.Rules = append(s.Gateway.Rules, rule)
		for _, c := range colors {
			if ref, found := rule.Refs[c]; found && ref.Weight > 0 {
				s.Users[c] = append(s.Users[c], track.Backend{
					Pointer: refPointer(i, ref.Index) + "/name", Host: host, Path: matchesText(fields(r)),
					Service: bg.Side(c).Service, Port: map[string]any{"number": ref.Port},
				})
			}
		}
	}
	readStandby(bg, &s, standby)
	return s
}

var colors = []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} //nolint:gochecknoglobals // a constant list

// ruleOf finds a rule's references to the application's Services.
func ruleOf(bg *v1alpha1.BlueGreen, index int, rule map[string]any) track.Rule {
	found := track.Rule{Index: index, Refs: map[v1alpha1.Color]track.Ref{}}
	for j, r := range list(rule["backendRefs"]) {
		ref := fields(r)
		c, ours := colorOf(bg, ref)
		if _, again := found.Refs[c]; !ours || again {
			continue
		}
		found.Refs[c] = track.Ref{Index: j, Weight: whole(ref["weight"], 1), Port: whole(ref["port"], 0)}
	}
	return found
}

// colorOf is the colour whose Service a reference names: a Service in the route's own namespace.
func colorOf(bg *v1alpha1.BlueGreen, ref map[string]any) (v1alpha1.Color, bool) {
	if namespace := text(ref["namespace"]); !isService(ref) || namespace != "" && namespace != bg.Namespace {
		return "", false
	}
	for _, c := range colors {
		if text(ref["name"]) == bg.Side(c).Service {
			return c, true
		}
	}
	return "", false
}

// isService reports whether a reference is to a Service, the default.
func isService(ref map[string]any) bool {
	kind := text(ref["kind"])
	return text(ref["group"]) == "" && (kind == "" || kind == "Service")
}

func rulePointer(i int) string { return fmt.Sprintf("/spec/rules/%d", i) }

func refPointer(i, j int) string { return fmt.Sprintf("%s/backendRefs/%d", rulePointer(i), j) }

// matchesText describes to people which requests a rule matches.
func matchesText(rule map[string]any) string {
	var all []string
	for _, m := range list(rule["matches"]) {
		match := fields(m)
		path := fields(match["path"])
		one := text(path["value"])
		if one == "" {
			one = "/"
		}
		switch text(path["type"]) {
		case "Exact":
			one += " exactly"
		case "RegularExpression":
			one = "~" + one
		}
		if method := text(match["method"]); method != "" {
			one = method + " " + one
		}
		if n := len(list(match["headers"])) + len(list(match["queryParams"])); n > 0 {
			one += fmt.Sprintf(" with %d conditions", n)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return "/"
	}
	return strings.Join(all, ", ")
}

// parentsOf reads the reports of the controllers of a route's Gateways.
func parentsOf(route *unstructured.Unstructured) []track.Parent {
	var read struct {
		Parents []struct {
			ParentRef      map[string]any     `json:"parentRef"`
			ControllerName string             `json:"controllerName"`
			Conditions     []metav1.Condition `json:"conditions"`
		} `json:"parents"`
	}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(fields(route.Object["status"]), &read) != nil {
		return nil // unreadable: unknown
	}
	var parents []track.Parent
	for _, p := range read.Parents {
		parent := track.Parent{
			Controller: p.ControllerName, Ref: parentText(route.GetNamespace(), p.ParentRef), Conditions: map[string]track.Condition{},
		}
		for _, c := range p.Conditions {
			parent.Conditions[c.Type] = track.Condition{
				True: c.Status == metav1.ConditionTrue, Observed: c.ObservedGeneration, Reason: c.Reason, Message: c.Message,
			}
		}
		parents = append(parents, parent)
	}
	return parents
}

// parentText names a parent with all defaults filled in, so that the same parent has the same
// name in every reference.
func parentText(namespace string, ref map[string]any) string {
	kind := "gateway"
	if k := text(ref["kind"]); k != "" && k != "Gateway" {
		kind = strings.ToLower(k)
	}
	if group := text(ref["group"]); group != "" && group != gatewayGroup {
		kind += "." + group
	}
	if n := text(ref["namespace"]); n != "" {
		namespace = n
	}
	name := fmt.Sprintf("%s %s/%s", kind, namespace, text(ref["name"]))
	if section := text(ref["sectionName"]); section != "" {
		name += " " + section
	}
	if port := whole(ref["port"], 0); port != 0 {
		name += fmt.Sprintf(" port %d", port)
	}
	return name
}

// copied is a deep copy.
func copied(value map[string]any) map[string]any { return runtime.DeepCopyJSON(value) }

// portsOf are the ports that rules name, each once, in their order.
func portsOf(rules []track.Rule) []int64 {
	var all []int64
	for _, r := range rules {
		for _, c := range colors {
			if ref, found := r.Refs[c]; found && !slices.Contains(all, ref.Port) {
				all = append(all, ref.Port)
			}
		}
	}
	return all
}
