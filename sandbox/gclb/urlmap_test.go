package gclb

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var allow = cmp.AllowUnexported(urlMap{}, hostRule{}, pathRule{}, verdict{}) //nolint:gochecknoglobals // an option for all tests

func TestURLMapIsReadWithItsHostsAndPaths(t *testing.T) {
	got := readURLMap(&resource{place{"global", "urlMaps", "shop"}, object{
		"defaultService": links + "acme-prod/global/backendServices/default",
		"hostRules": []any{
			map[string]any{"hosts": []any{"a.test", "b.test"}, "pathMatcher": "one"},
			map[string]any{"hosts": []any{"*"}, "pathMatcher": "two"},
		},
		"pathMatchers": []any{
			map[string]any{"name": "one", "defaultService": "global/backendServices/own", "pathRules": []any{
				map[string]any{"paths": []any{"/x", "/x/*"}, "service": "global/backendServices/x"},
			}},
			map[string]any{"name": "two", "defaultService": "regions/us-central1/backendServices/any"},
		},
	}})
	paths := []pathRule{{"/x", "global/backendServices/x"}, {"/x/*", "global/backendServices/x"}}
	want := urlMap{name: "shop", fallback: "global/backendServices/default", hosts: []hostRule{
		{"a.test", paths, "global/backendServices/own"},
		{"b.test", paths, "global/backendServices/own"},
		{"*", nil, "regions/us-central1/backendServices/any"},
	}}
	if diff := cmp.Diff(want, got, allow); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRequestsAreRoutedByHostThenByTheLongestPath(t *testing.T) {
	m := urlMap{fallback: "fallback", hosts: []hostRule{
		{"*", []pathRule{{"/*", "any"}}, "fallback"},
		{"shop.example.com", []pathRule{{"/", "root"}, {"/a/*", "a"}, {"/a/b", "ab"}, {"/a/b*", "ab-prefix"}}, "shop-fallback"},
		{"*.example.com", []pathRule{{"/*", "wild"}}, "fallback"},
		{"*.deep.example.com", []pathRule{{"/only", "deep"}}, "fallback"},
	}}
	for _, c := range []struct{ host, path, want string }{
		{"shop.example.com", "/", "root"},
		{"SHOP.example.com.:8080", "/", "root"},
		{"shop.example.com", "/x", "shop-fallback"}, // no path of the host matches
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
		t.Errorf("without rules the request goes to %s", none)
	}
}

func TestSharedAddressIsDividedByHostAndTheOldestOpenIngressGetsTheRest(t *testing.T) {
	of := func(name, fallback string, hosts ...string) urlMap {
		m := urlMap{name: name, fallback: fallback}
		for _, host := range hosts {
			m.hosts = append(m.hosts, hostRule{host: host, paths: []pathRule{{"/*", name}}, fallback: fallback})
		}
		return m
	}
	closed, open := of("closed", "default", "a.test"), of("open", "default", "*", "b.test")
	younger, backed := of("younger", "default", "*"), of("backed", "backed")
	backends := map[string]backendService{"default": {system: true}}
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
		if got := (&view{urlMaps: c.maps, backends: backends}).mapFor(c.host).name; got != c.want {
			t.Errorf("%s goes to the Ingress %s, want %s", c.host, got, c.want)
		}
	}
}
