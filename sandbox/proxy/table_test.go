package proxy

import (
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"

	"github.com/google/go-cmp/cmp"
)

func path(kind networkingv1.PathType, path, service string) networkingv1.HTTPIngressPath {
	return networkingv1.HTTPIngressPath{
		Path: path, PathType: &kind,
		Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service}},
	}
}

func TestRoutesFollowTheIngressAPI(t *testing.T) {
	rules := func(host string, paths ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
		return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths},
		}}
	}
	fallback := path("", "", "fallback").Backend
	ingress := &networkingv1.Ingress{Spec: networkingv1.IngressSpec{
		DefaultBackend: &fallback,
		Rules: []networkingv1.IngressRule{
			rules("", path(networkingv1.PathTypePrefix, "/all", "any")),
			rules("a.test", path(networkingv1.PathTypePrefix, "/", "root"), path(networkingv1.PathTypePrefix, "/api", "api"),
				path(networkingv1.PathTypeExact, "/api/one", "one"), path(networkingv1.PathTypeImplementationSpecific, "/img/*", "img")),
			rules("*.b.test", path(networkingv1.PathTypePrefix, "/", "wild")),
			rules("standby-1.invalid", path(networkingv1.PathTypePrefix, "/", "standby")),
		},
	}}
	routes := newTable([]*networkingv1.Ingress{ingress}, func(_ string, b *networkingv1.IngressServiceBackend) *backend {
		return &backend{name: b.Name}
	})
	for _, c := range []struct{ host, path, want string }{
		{"a.test", "/", "root"},
		{"A.test:8080", "/x", "root"},
		{"a.test", "/api", "api"},
		{"a.test", "/api/two", "api"},
		{"a.test", "/apis", "root"},
		{"a.test", "/api/one", "one"},
		{"a.test", "/api/one/", "api"},
		{"a.test", "/img/x.png", "img"},
		{"x.b.test", "/", "wild"},
		{"x.y.b.test", "/", "fallback"},
		{"b.test", "/", "fallback"},
		{"standby-1.invalid", "/healthz", "standby"},
		{"10.77.0.1", "/all/of/it", "any"},
		{"10.77.0.1", "/", "fallback"},
	} {
		if got := routes.route(c.host, c.path).name; got != c.want {
			t.Errorf("%s%s went to %s, want %s", c.host, c.path, got, c.want)
		}
	}
}

func TestNoRuleMeansNobody(t *testing.T) {
	if got := (&table{}).route("a.test", "/"); got != nil {
		t.Errorf("got backend %s without any rule", got.name)
	}
}

func TestEndpointsAreReadyOnesOfThePort(t *testing.T) {
	slice := &discoveryv1.EndpointSlice{
		Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: ptr.To[int32](8080)}, {Name: new("admin"), Port: ptr.To[int32](9090)}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.77.1.2"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}},
			{Addresses: []string{"10.77.1.3"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
			{Addresses: []string{"10.77.1.1"}},
		},
	}
	got := endpoints([]*discoveryv1.EndpointSlice{slice, slice}, "http")
	if diff := cmp.Diff([]string{"10.77.1.1:8080", "10.77.1.2:8080"}, got); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

func TestOnlyIngressesOfItsClassAreServed(t *testing.T) {
	p := &proxy{Config: Config{Class: "plain"}}
	for _, c := range []struct {
		annotation string
		field      *string
		want       bool
	}{
		{"", new("plain"), true},
		{"plain", nil, true},
		{"", nil, false},
		{"gce", nil, false},
		{"", new("gce"), false},
		{"plain", new("gce"), false},
	} {
		ingress := &networkingv1.Ingress{Spec: networkingv1.IngressSpec{IngressClassName: c.field}}
		ingress.Annotations = map[string]string{classAnnotation: c.annotation}
		if got := !p.isForeign(ingress); got != c.want {
			t.Errorf("annotation %q, spec.ingressClassName %v: served %v", c.annotation, ptr.Deref(c.field, "none"), got)
		}
	}
}
