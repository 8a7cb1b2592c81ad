package gclb

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var allow = cmp.AllowUnexported(urlMap{}, hostRule{}, pathRule{}, healthCheck{}, endpoint{}, negKey{}, negDiff{}, negPort{}, finding{}, verdict{}, patchOperation{}) //nolint:gochecknoglobals // an option for all tests

var testNames = namer{cluster: "12345678"} //nolint:gochecknoglobals // as above

// fixedServices are what look-ups find: a Service's name and its NEG annotation; "config" on a name's end gives it BackendConfigs, of which
// for-admin cannot be read and the others do not exist.
func fixedServices(negs map[string]string) lookUps {
	return lookUps{
		service: func(namespace, name string) *corev1.Service {
			neg, found := negs[name]
			if !found {
				return nil
			}
			s := &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{}},
				Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Ports: []corev1.ServicePort{{Name: "http", Port: 80}, {Name: "admin", Port: 81}}},
			}
			if neg != "" {
				s.Annotations[negAnnotation] = neg
			}
			if strings.HasSuffix(name, "config") {
				s.Annotations[backendConfigAnnotation] = `{"default":"all","ports":{"admin":"for-admin","80":"for-80"}}`
			}
			return s
		},
		config: func(_, name string) (*backendConfig, error) {
			if name == "for-admin" {
				return nil, errors.New("unreadable")
			}
			return nil, nil
		},
	}
}

func shopIngress(rules ...networkingv1.IngressRule) *networkingv1.Ingress {
	return &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: networkingv1.IngressSpec{Rules: rules}}
}

func paths(host string, all ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
	return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: all}}}
}

func onePath(kind networkingv1.PathType, path, service string) networkingv1.HTTPIngressPath {
	return networkingv1.HTTPIngressPath{Path: path, PathType: &kind, Backend: to(service)}
}

const ingressNEG = `{"ingress":true}`

func TestOneBadBackendIsFatalForTheWholeIngress(t *testing.T) {
	find := fixedServices(map[string]string{"blue": ingressNEG, "plain": "", "broken": "{", "green-config": ingressNEG})
	noService := onePath(networkingv1.PathTypePrefix, "/", "blue")
	noService.Backend = networkingv1.IngressBackend{Resource: &corev1.TypedLocalObjectReference{Name: "bucket"}}
	badPort := onePath(networkingv1.PathTypePrefix, "/", "blue")
	badPort.Backend.Service.Port.Number = 8080
	admin := onePath(networkingv1.PathTypePrefix, "/", "green-config")
	admin.Backend.Service.Port = networkingv1.ServiceBackendPort{Name: "admin"}
	for want, bad := range map[string]networkingv1.HTTPIngressPath{
		`could not find service "shop/missing"`:                                           onePath(networkingv1.PathTypePrefix, "/", "missing"),
		`could not find port "8080" in service "shop/blue"`:                               badPort,
		`service "shop/plain" is type "ClusterIP", expected "NodePort" or "LoadBalancer"`: onePath(networkingv1.PathTypePrefix, "/", "plain"),
		`annotation cloud.google.com/neg`:                                                 onePath(networkingv1.PathTypePrefix, "/", "broken"),
		`no BackendConfig "for-80" exists`:                                                onePath(networkingv1.PathTypePrefix, "/", "green-config"),
		`unreadable`:                                                                      admin,
		`a kind other than`:                                                               noService,
		`wildcard`:                                                                        onePath(networkingv1.PathTypePrefix, "/a*", "blue"),
	} {
		got, err := translate(shopIngress(rule("good.example.com", "blue"), paths("bad.example.com", bad)), testNames, find)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if len(got.ports) != 1 || got.ports[0].service != "blue" {
			t.Errorf("%s: what garbage collection keeps is %+v", want, got.ports)
		}
	}
}

func TestTranslationFollowsTheURLMapsRules(t *testing.T) {
	find := fixedServices(map[string]string{"blue": ingressNEG, "green": ingressNEG, "api": ingressNEG, "default": ingressNEG})
	ingress := shopIngress(
		paths("twice.example.com", onePath(networkingv1.PathTypePrefix, "/", "blue")),
		paths("", onePath(networkingv1.PathTypeImplementationSpecific, "", "blue")),
		paths(
			"shop.example.com",
			onePath(networkingv1.PathTypePrefix, "/", "blue"), onePath(networkingv1.PathTypePrefix, "/api/", "api"),
			onePath(networkingv1.PathTypeExact, "/one", "green"), onePath(networkingv1.PathTypeImplementationSpecific, "/img/*", "green"),
			onePath(networkingv1.PathTypeExact, "/one", "api"),
		),
		paths("twice.example.com", onePath(networkingv1.PathTypePrefix, "/", "green")),
		networkingv1.IngressRule{Host: "empty.example.com"},
	)
	ingress.Spec.DefaultBackend = new(to("default"))
	got, err := translate(ingress, testNames, find)
	if err != nil {
		t.Fatal(err)
	}
	neg := func(service string) string { return testNames.neg("shop", service, 80) }
	want := urlMap{
		name: testNames.urlMap("shop", "web"), fallback: neg("default"),
		hosts: []hostRule{
			{host: "*", paths: []pathRule{{"/*", neg("blue")}}},
			{host: "shop.example.com", paths: []pathRule{
				{"/*", neg("blue")}, {"/api", neg("api")}, {"/api/*", neg("api")}, {"/img/*", neg("green")}, {"/one", neg("api")},
			}},
			{host: "twice.example.com", paths: []pathRule{{"/*", neg("green")}}},
		},
	}
	if diff := cmp.Diff(want, got.urlMap, allow); diff != "" {
		t.Errorf("the URL map (-want +got):\n%s", diff)
	}
	var services []string
	for i := range got.ports {
		services = append(services, got.ports[i].service)
	}
	if diff := cmp.Diff([]string{"default", "blue", "api", "green"}, services); diff != "" {
		t.Errorf("the Services (-want +got):\n%s", diff)
	}
}

func TestRequestsAreRoutedByHostThenByTheLongestPath(t *testing.T) {
	m := urlMap{fallback: "fallback", hosts: []hostRule{
		{"*", []pathRule{{"/*", "any"}}},
		{"shop.example.com", []pathRule{{"/", "root"}, {"/a/*", "a"}, {"/a/b", "ab"}, {"/a/b*", "ab-prefix"}}},
		{"*.example.com", []pathRule{{"/*", "wild"}}},
		{"*.deep.example.com", []pathRule{{"/only", "deep"}}},
	}}
	for _, c := range []struct{ host, path, want string }{
		{"shop.example.com", "/", "root"},
		{"SHOP.example.com.:8080", "/", "root"},
		{"shop.example.com", "/x", "fallback"}, // no path of the host matches
		{"shop.example.com", "/a/c", "a"},
		{"shop.example.com", "/a/b", "ab"},
		{"shop.example.com", "/a/bc", "ab-prefix"},
		{"a.b.example.com", "/", "wild"},
		{"x.deep.example.com", "/only", "deep"},
		{"x.deep.example.com", "/", "fallback"},
		{"10.0.0.1", "/", "any"},
	} {
		if got := m.route(c.host, c.path); got != c.want {
			t.Errorf("%s%s goes to %s, want %s", c.host, c.path, got, c.want)
		}
	}
	if none := (&urlMap{fallback: "fallback"}).route("a", "/"); none != "fallback" {
		t.Errorf("without rules it goes to %s", none)
	}
}

func TestSharedAddressIsDividedByHostAndTheOldestOpenIngressGetsTheRest(t *testing.T) {
	of := func(name, fallback string, hosts ...string) urlMap {
		m := urlMap{name: name, fallback: fallback}
		for _, host := range hosts {
			m.putHost(host, []pathRule{{"/*", name}})
		}
		return m
	}
	closed, open := of("closed", systemBackend, "a.test"), of("open", systemBackend, "*", "b.test")
	younger, backed := of("younger", systemBackend, "*"), of("backed", "backed")
	for _, c := range []struct {
		maps       []urlMap
		host, want string
	}{
		{[]urlMap{closed, open, younger}, "a.test", "closed"},
		{[]urlMap{closed, open, younger}, "b.test:80", "open"},
		{[]urlMap{closed, open, younger}, "127.0.0.1:8080", "open"},
		{[]urlMap{closed, backed, open}, "127.0.0.1:8080", "backed"},
		{[]urlMap{closed}, "127.0.0.1:8080", "closed"},
	} {
		if got := (&view{urlMaps: c.maps}).mapFor(c.host).name; got != c.want {
			t.Errorf("%s goes to the Ingress %s, want %s", c.host, got, c.want)
		}
	}
}

func TestOnlyTheClassAnnotationMakesAnIngressOurs(t *testing.T) {
	for _, c := range []struct {
		annotation, field string
		want              bool
	}{{"gce", "", true}, {"", "", true}, {"gce", "nginx", true}, {"", "gce", false}, {"gce-internal", "", false}, {"nginx", "", false}} {
		ingress := shopIngress()
		if c.annotation != "" {
			ingress.Annotations = map[string]string{classAnnotation: c.annotation}
		}
		if c.field != "" {
			ingress.Spec.IngressClassName = &c.field
		}
		if got := isOurs(ingress); got != c.want {
			t.Errorf("annotation %q, spec.ingressClassName %q: %v", c.annotation, c.field, got)
		}
	}
}

func TestNamesAreShortAndTellServicesApart(t *testing.T) {
	long := strings.Repeat("n", 60)
	seen := map[string]bool{}
	for _, namespace := range []string{"shop", long} {
		for _, service := range []string{"blue", long, long + "2"} {
			for _, port := range []int32{80, 8080} {
				name := testNames.neg(namespace, service, port)
				if len(name) > 63 || seen[name] || !strings.HasPrefix(name, "k8s1-12345678-") {
					t.Errorf("the NEG of %s/%s:%d is %s (%d)", namespace, service, port, name, len(name))
				}
				seen[name] = true
			}
		}
	}
	if got := testNames.neg("shop", "blue", 80); !strings.HasPrefix(got, "k8s1-12345678-shop-blue-80-") {
		t.Errorf("a short name is %s", got)
	}
}

func TestNEGsAreLinkedOnlyWhereTheyExist(t *testing.T) {
	zones := []string{"a", "b"}
	inA := []negReference{{SelfLink: negKey{"neg", "a"}.selfLink()}}
	only := func(zone string) func(negKey) bool { return func(k negKey) bool { return k.zone == zone } }
	for _, c := range []struct {
		name    string
		named   []negReference
		exists  func(negKey) bool
		believe bool
		want    string
	}{
		{"named or existing", inA, only("b"), false, "[Key{\"neg\", zone: \"a\"} Key{\"neg\", zone: \"b\"}] <nil>"},
		{"missing in b", inA, only("a"), false, "[] googleapi: Error 404"},
		{"missing everywhere", nil, only(""), false, "[] googleapi: Error 404"},
		{"svcneg believed", inA, only(""), true, "[Key{\"neg\", zone: \"a\"}] <nil>"},
		{"empty svcneg believed", nil, only("a"), true, "[] <nil>"},
	} {
		got, err := negsToLink("neg", zones, c.named, c.exists, c.believe)
		if text := fmt.Sprint(got, " ", err); !strings.HasPrefix(text, c.want) {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
}
