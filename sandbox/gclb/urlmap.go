package gclb

import (
	"net"
	"slices"
	"strings"
)

// urlMap decides which backend service gets a request. It is an immutable value.
type urlMap struct {
	name string
	// hosts are matched exactly, then by the longest wildcard; "*" is any host.
	hosts []hostRule
	// fallback gets hosts without a rule; empty: nobody does.
	fallback string
	// redirects sends everything to HTTPS, and nothing to a backend service.
	redirects bool
}

type hostRule struct {
	host  string
	paths []pathRule
	// fallback gets paths of the host without a rule.
	fallback string
}

// pathRule is a path, matched exactly, or a prefix that ends with "/*".
type pathRule struct {
	path    string
	backend string
}

// backends are the names of the backend services it refers to, sorted.
func (m *urlMap) backends() []string {
	all := []string{m.fallback}
	for _, h := range m.hosts {
		all = append(all, h.fallback)
		for _, p := range h.paths {
			all = append(all, p.backend)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == "" })
}

// hasHost reports whether a rule of its own matches the host, not just "*".
func (m *urlMap) hasHost(host string) bool {
	rule := m.match(host)
	return rule != nil && rule.host != "*"
}

// takesAny reports whether an application answers for hosts without a rule.
func (m *urlMap) takesAny(isSystem func(backend string) bool) bool {
	return m.fallback != "" && !isSystem(m.fallback) || slices.ContainsFunc(m.hosts, func(h hostRule) bool { return h.host == "*" })
}

// route names the backend service for a request: the most specific host, then
// the longest path ("GCE ensures that matched rule with longest prefix wins",
// pkg/translator/translator.go).
func (m *urlMap) route(host, path string) string {
	rule := m.match(host)
	if rule == nil {
		return m.fallback
	}
	best, length := rule.fallback, -1
	for _, p := range rule.paths {
		if matched := matchPath(p.path, path); matched > length {
			best, length = p.backend, matched
		}
	}
	return best
}

func (m *urlMap) match(host string) *hostRule {
	host = cleanHost(host)
	var best *hostRule
	for i := range m.hosts {
		h := &m.hosts[i]
		switch suffix, wild := strings.CutPrefix(h.host, "*"); {
		case !wild && strings.EqualFold(h.host, host):
			return h
		case wild && strings.HasSuffix(host, strings.ToLower(suffix)) && (best == nil || len(h.host) > len(best.host)):
			best = h
		}
	}
	return best
}

// cleanHost is the Host header's name without port and final dot.
func cleanHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// matchPath is the length of what matched, or -1. A whole path beats a prefix
// of the same length.
func matchPath(pattern, path string) int {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		if strings.HasPrefix(path, prefix) {
			return 2 * len(prefix)
		}
		return -1
	}
	if pattern == path {
		return 2*len(path) + 1
	}
	return -1
}
