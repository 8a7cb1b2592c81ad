package gateway

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// table maps requests to rules. It never changes.
type table struct {
	serial  int
	entries []entry // the first match wins
}

// Serial grows with each table.
func (t *table) Serial() int { return t.serial }

// entry is one match of one rule of a route, under one host.
type entry struct {
	host  string // exact, *.suffix, or empty for any
	match gatewayv1.HTTPRouteMatch
	rule  *rule

	// For the precedence among routes.
	created   time.Time
	name      string // namespace/name
	ruleIndex int
}

// rule is what happens to a request.
type rule struct {
	filters  []gatewayv1.HTTPRouteFilter
	backends []backend
}

// backend is one reference of a rule with its weight. An invalid one answers 500.
type backend struct {
	service string // namespace/name:port; empty: not valid
	weight  int
}

// newTable sorts entries by precedence: exact hosts before wildcards, longer hosts first
// (httproute_types.go, Hostnames); then an exact path, the longest
// prefix, a method, the most headers, the most query parameters; then the oldest route,
// its name, and the order of its rules (httproute_types.go, Matches).
func newTable(serial int, entries []entry) *table {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(
			cmp.Compare(exactHost(b.host), exactHost(a.host)), cmp.Compare(len(b.host), len(a.host)),
			-compareMatches(a.match, b.match),
			a.created.Compare(b.created), cmp.Compare(a.name, b.name), cmp.Compare(a.ruleIndex, b.ruleIndex),
		)
	})
	return &table{serial: serial, entries: entries}
}

// exactHost is the length of a host without a wildcard, and 0 for one with.
func exactHost(host string) int {
	if strings.HasPrefix(host, "*") {
		return 0
	}
	return len(host)
}

// compareMatches is positive if the first match is more specific.
func compareMatches(a, b gatewayv1.HTTPRouteMatch) int {
	kind := func(m gatewayv1.HTTPRouteMatch) int {
		switch t, _ := path(m); t {
		case gatewayv1.PathMatchExact:
			return 2
		case gatewayv1.PathMatchRegularExpression: // implementation-specific
			return 1
		default:
			return 0
		}
	}
	length := func(m gatewayv1.HTTPRouteMatch) int {
		_, value := path(m)
		return len(value)
	}
	method := func(m gatewayv1.HTTPRouteMatch) int {
		if m.Method != nil {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(kind(a), kind(b)), cmp.Compare(length(a), length(b)), cmp.Compare(method(a), method(b)),
		cmp.Compare(len(a.Headers), len(b.Headers)), cmp.Compare(len(a.QueryParams), len(b.QueryParams)),
	)
}

// path is the path condition of a match. The default matches every path.
func path(m gatewayv1.HTTPRouteMatch) (kind gatewayv1.PathMatchType, value string) {
	kind, value = gatewayv1.PathMatchPathPrefix, "/"
	if m.Path != nil {
		if m.Path.Type != nil {
			kind = *m.Path.Type
		}
		if m.Path.Value != nil {
			value = *m.Path.Value
		}
	}
	return kind, value
}

// route finds the rule for a request; nil if none matches.
func (t *table) route(r *http.Request) *entry {
	host := hostOf(r.Host)
	for i := range t.entries {
		if e := &t.entries[i]; matchesHost(e.host, host) && matches(e.match, r) {
			return e
		}
	}
	return nil
}

// hostOf returns the host name of a Host header: lower case, without port and last dot.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// matchesHost reports whether a pattern covers a host. A wildcard stands for at least one
// label (shared_types.go, Hostname).
func matchesHost(pattern, host string) bool {
	if suffix, wild := strings.CutPrefix(pattern, "*"); wild {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return pattern == "" || pattern == host
}

// matches reports whether all conditions of a match hold (httproute_types.go,
// HTTPRouteMatch).
func matches(m gatewayv1.HTTPRouteMatch, r *http.Request) bool {
	switch kind, value := path(m); kind {
	case gatewayv1.PathMatchExact:
		if r.URL.Path != value {
			return false
		}
	case gatewayv1.PathMatchPathPrefix:
		if !hasPrefix(r.URL.Path, value) {
			return false
		}
	default:
		return false
	}
	if m.Method != nil && string(*m.Method) != r.Method {
		return false
	}
	for _, h := range m.Headers {
		if !slices.Contains(r.Header.Values(string(h.Name)), h.Value) {
			return false
		}
	}
	query := r.URL.Query()
	for _, q := range m.QueryParams {
		if values := query[string(q.Name)]; len(values) == 0 || values[0] != q.Value {
			return false
		}
	}
	return true
}

// hasPrefix compares whole elements: /foo matches /foo/bar, but not /foobar
// (httproute_types.go, PathMatchPathPrefix).
func hasPrefix(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}
