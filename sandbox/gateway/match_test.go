package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// on is a match of a path, with further conditions.
func on(kind gatewayv1.PathMatchType, value string, add ...func(*gatewayv1.HTTPRouteMatch)) gatewayv1.HTTPRouteMatch {
	m := gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}
	for _, a := range add {
		a(&m)
	}
	return m
}

func header(name string) func(*gatewayv1.HTTPRouteMatch) {
	return func(m *gatewayv1.HTTPRouteMatch) {
		m.Headers = append(m.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(name), Value: "1"})
	}
}

func query(name string) func(*gatewayv1.HTTPRouteMatch) {
	return func(m *gatewayv1.HTTPRouteMatch) {
		m.QueryParams = append(m.QueryParams, gatewayv1.HTTPQueryParamMatch{Name: gatewayv1.HTTPHeaderName(name), Value: "1"})
	}
}

func get(m *gatewayv1.HTTPRouteMatch) { m.Method = new(gatewayv1.HTTPMethodGet) }

// request is a GET request with the headers A and B.
func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	r.Header.Set("A", "1")
	r.Header.Set("B", "1")
	return r
}

func TestPrecedence(t *testing.T) {
	const prefix, exact = gatewayv1.PathMatchPathPrefix, gatewayv1.PathMatchExact
	old, young := time.Unix(1, 0), time.Unix(2, 0)
	// Each is more specific than the one before it.
	ascending := []entry{
		{match: on(prefix, "/"), created: young, name: "b/a"},
		{match: on(prefix, "/"), created: young, name: "a/b", ruleIndex: 1},
		{match: on(prefix, "/"), created: young, name: "a/b"},
		{match: on(prefix, "/"), created: old, name: "z/z"},
		{match: on(prefix, "/", query("a")), created: young},
		{match: on(prefix, "/", query("a"), query("b")), created: young},
		{match: on(prefix, "/", header("A")), created: young},
		{match: on(prefix, "/", header("A"), header("B")), created: young},
		{match: on(prefix, "/", get), created: young},
		{match: on(prefix, "/p", header("A")), created: young},
		{match: on(prefix, "/p", get, header("A")), created: young},
		{match: on(prefix, "/p/a"), created: young},
		{match: on(exact, "/p/a/b"), created: young},
		{match: on(exact, "/p/a/b", header("A")), created: young},
	}
	for i := range ascending {
		ascending[i].rule = &rule{}
		for j := range i {
			for _, both := range [][]entry{{ascending[i], ascending[j]}, {ascending[j], ascending[i]}} {
				if got := newTable(1, both).route(request(t, "http://shop.example.com/p/a/b?a=1&b=1")); got.rule != ascending[i].rule {
					t.Errorf("entry %d wins over the more specific entry %d", j, i)
				}
			}
		}
	}
}

func TestPrefixMatchesWholeElements(t *testing.T) {
	for _, test := range []struct {
		prefix, path string
		want         bool
	}{
		{"/", "/", true},
		{"/", "/a", true},
		{"/foo", "/foo", true},
		{"/foo", "/foo/", true},
		{"/foo", "/foo/bar", true},
		{"/foo", "/foobar", false},
		{"/foo/", "/foo", true},
		{"/foo/", "/foo/bar", true},
		{"/foo/bar", "/foo", false},
	} {
		m := on(gatewayv1.PathMatchPathPrefix, test.prefix)
		if got := matches(m, request(t, "http://x"+test.path)); got != test.want {
			t.Errorf("prefix %s matches %s: %v, want %v", test.prefix, test.path, got, test.want)
		}
	}
	if matches(on(gatewayv1.PathMatchExact, "/foo"), request(t, "http://x/foo/")) {
		t.Error("the exact path /foo matches /foo/")
	}
}

func TestHosts(t *testing.T) {
	named := func(host string) entry { return entry{host: host, name: host, rule: &rule{}} }
	table := newTable(1, []entry{named(""), named("*.com"), named("*.example.com"), named("shop.example.com")})
	for host, want := range map[string]string{
		"shop.example.com": "shop.example.com", "SHOP.example.com:80": "shop.example.com", "a.example.com": "*.example.com",
		"a.b.example.com": "*.example.com", "example.com": "*.com", "example.org": "",
	} {
		r := request(t, "http://x/")
		r.Host = host
		if got := table.route(r).host; got != want {
			t.Errorf("host %s matches %q, want %q", host, got, want)
		}
	}
	for _, test := range []struct {
		listener, route, want string
		ok                    bool
	}{
		{"", "a.com", "a.com", true},
		{"a.com", "", "a.com", true},
		{"*.a.com", "b.a.com", "b.a.com", true},
		{"b.a.com", "*.a.com", "b.a.com", true},
		{"*.a.com", "*.b.a.com", "*.b.a.com", true},
		{"*.a.com", "a.com", "", false},
		{"a.com", "b.com", "", false},
	} {
		if got, ok := intersect(test.listener, test.route); got != test.want || ok != test.ok {
			t.Errorf("listener %q and route %q share the host %q (%v), want %q (%v)", test.listener, test.route, got, ok, test.want, test.ok)
		}
	}
}

func TestWeights(t *testing.T) {
	r := rule{backends: []backend{{service: "a", weight: 0}, {service: "b", weight: 3}, {service: "c", weight: 1}}}
	got := map[string]int{}
	for i := range 4 {
		b, ok := r.pick(func(n int) int {
			if n != 4 {
				t.Errorf("the weights add up to %d, want 4", n)
			}
			return i
		})
		if !ok {
			t.Error("no backend is picked")
		}
		got[b.service]++
	}
	if diff := cmp.Diff(map[string]int{"b": 3, "c": 1}, got); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
	if _, ok := (&rule{backends: []backend{{service: "a"}}}).pick(func(int) int { return 0 }); ok {
		t.Error("a backend of weight 0 is picked")
	}
}
