package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// shop is a cluster with two Gateways, a route, and the Service known with port 80.
func shop(t *testing.T, route string) cluster {
	t.Helper()
	c := cluster{
		controller: GKE,
		hasPort:    func(_, name string, port int32) (bool, bool) { return name == "known", name == "known" && port == 80 },
	}
	c.classes = []gatewayv1.GatewayClass{
		{ObjectMeta: metav1.ObjectMeta{Name: "ours"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: GKE}},
		{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "example.com/other"}},
	}
	for name, text := range map[string]string{
		"outside":   `{gatewayClassName: ours, listeners: [{name: http, port: 80, protocol: HTTP, hostname: "*.example.com"}]}`,
		"elsewhere": `{gatewayClassName: other, listeners: [{name: http, port: 80, protocol: HTTP}]}`,
	} {
		g := gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		if err := yaml.Unmarshal([]byte(text), &g.Spec); err != nil {
			t.Fatal(err)
		}
		c.gateways = append(c.gateways, g)
	}
	r := gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "route", Generation: 4}}
	if err := yaml.Unmarshal([]byte(route), &r.Spec); err != nil {
		t.Fatal(err)
	}
	c.routes = []gatewayv1.HTTPRoute{r}
	return c
}

func TestVerdictsOnRoutes(t *testing.T) {
	const parent = "parentRefs: [{name: outside}], hostnames: [a.example.com]"
	tests := []struct{ name, route, accepted, resolved string }{
		{"good", "{" + parent + ", rules: [{backendRefs: [{name: known, port: 80}]}]}", "Accepted", "ResolvedRefs"},
		{"no such Service", "{" + parent + ", rules: [{backendRefs: [{name: gone, port: 80, weight: 0}]}]}", "Accepted", "BackendNotFound"},
		{"no such port", "{" + parent + ", rules: [{backendRefs: [{name: known, port: 81}]}]}", "Accepted", "BackendNotFound"},
		{"no Service", "{" + parent + ", rules: [{backendRefs: [{name: known, kind: Bucket, port: 80}]}]}", "Accepted", "InvalidKind"},
		{"another namespace", "{" + parent + ", rules: [{backendRefs: [{name: known, namespace: x, port: 80}]}]}", "Accepted", "RefNotPermitted"},
		{
			"another host", "{parentRefs: [{name: outside}], hostnames: [a.example.org], rules: [{}]}", "NoMatchingListenerHostname",
			"ResolvedRefs",
		},
		{"another listener", "{parentRefs: [{name: outside, sectionName: https}], rules: [{}]}", "NoMatchingParent", "ResolvedRefs"},
		{"a mirror", "{" + parent + ", rules: [{filters: [{type: RequestMirror}]}]}", "UnsupportedValue", "ResolvedRefs"},
		{"another controller's", "{parentRefs: [{name: elsewhere}], rules: [{}]}", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := translate(shop(t, test.route)).verdicts["shop/route"]
			switch {
			case test.accepted == "" && len(got) == 0:
			case len(got) != 1 || got[0].accepted.name != test.accepted || got[0].resolved.name != test.resolved:
				t.Errorf("the verdicts are %+v", got)
			}
		})
	}
}

func TestStatusOfParents(t *testing.T) {
	c := shop(t, "{parentRefs: [{name: outside}], hostnames: [a.example.com], rules: [{backendRefs: [{name: gone, port: 80}]}]}")
	r := &c.routes[0]
	r.Status.Parents = []gatewayv1.RouteParentStatus{
		{ParentRef: gatewayv1.ParentReference{Name: "elsewhere"}, ControllerName: "example.com/other"},
		{ParentRef: gatewayv1.ParentReference{Name: "before"}, ControllerName: GKE},
	}
	var got []string
	for _, p := range parentsOf(r, translate(c).verdicts["shop/route"], GKE) {
		line := string(p.ControllerName) + " " + string(p.ParentRef.Name)
		for _, condition := range p.Conditions {
			line += " " + condition.Type + "=" + string(condition.Status)
			if condition.ObservedGeneration != 4 {
				t.Errorf("%s has the observed generation %d, want 4", condition.Type, condition.ObservedGeneration)
			}
		}
		got = append(got, line)
	}
	want := []string{"example.com/other elsewhere", GKE + " outside Accepted=True ResolvedRefs=False Reconciled=True"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the status (-want +got):\n%s", diff)
	}
}

func TestBackendsOfWeight0AreNotKept(t *testing.T) {
	c := shop(t, "{parentRefs: [{name: outside}], hostnames: [a.example.com], rules: [{backendRefs: [{name: known, port: 80, weight: 0}]}]}")
	if used := c.used(); len(used) != 0 {
		t.Errorf("backends of weight 0 are kept: %v", used)
	}
	c.routes[0].Spec.Rules[0].BackendRefs[0].Weight = nil
	if used := c.used(); !used["shop/known:80"] {
		t.Errorf("the backend of the default weight is not kept: %v", used)
	}
}
