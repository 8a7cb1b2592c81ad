package proxy

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// table is all routes at one moment. It does not change, but for the turns.
type table struct {
	rules    []rule // the first that matches wins
	fallback *backend
}

// rule is one path of one Ingress.
type rule struct {
	host    string // "" is any; "*.example.com" is one label
	path    string
	exact   bool
	backend *backend
}

// backend is a Service's port with its ready endpoints, host:port.
type backend struct {
	name      string // namespace/service:port, for messages
	endpoints []string
	turn      *atomic.Uint64
}

// next is the endpoint whose turn it is; "" if none is ready.
func (b *backend) next() string {
	if len(b.endpoints) == 0 {
		return ""
	}
	return b.endpoints[b.turn.Add(1)%uint64(len(b.endpoints))]
}

// route finds who answers a request; nil if no rule matches.
func (t *table) route(host, path string) *backend {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for i := range t.rules {
		if t.rules[i].matches(host, path) {
			return t.rules[i].backend
		}
	}
	return t.fallback
}

func (r *rule) matches(host, path string) bool {
	return r.matchesHost(host) && r.matchesPath(path)
}

func (r *rule) matchesHost(host string) bool {
	if suffix, ok := strings.CutPrefix(r.host, "*"); ok {
		label, found := strings.CutSuffix(host, suffix)
		return found && label != "" && !strings.Contains(label, ".")
	}
	return r.host == "" || r.host == host
}

// matchesPath compares whole path elements, as pathType Prefix demands.
func (r *rule) matchesPath(path string) bool {
	if r.exact {
		return path == r.path
	}
	prefix := strings.TrimSuffix(r.path, "/")
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || strings.HasPrefix(rest, "/"))
}

// lookUp finds the ready endpoints of an Ingress's backend.
type lookUp func(namespace string, b *networkingv1.IngressServiceBackend) *backend

// newTable computes the routes of all Ingresses.
func newTable(ingresses []*networkingv1.Ingress, find lookUp) *table {
	slices.SortFunc(ingresses, func(a, b *networkingv1.Ingress) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	t := &table{}
	for _, ingress := range ingresses {
		t.add(ingress, find)
	}
	slices.SortStableFunc(t.rules, byPrecedence)
	return t
}

func (t *table) add(ingress *networkingv1.Ingress, find lookUp) {
	if d := ingress.Spec.DefaultBackend; d != nil && d.Service != nil && t.fallback == nil {
		t.fallback = find(ingress.Namespace, d.Service)
	}
	for i := range ingress.Spec.Rules {
		r := &ingress.Spec.Rules[i]
		if r.HTTP == nil {
			continue
		}
		for _, p := range r.HTTP.Paths {
			if p.Backend.Service == nil {
				continue // a resource backend is nothing that proxies HTTP
			}
			t.rules = append(t.rules, newRule(r.Host, p, find(ingress.Namespace, p.Backend.Service)))
		}
	}
}

// newRule reads one path. ImplementationSpecific is a prefix here, where "/*" at
// the end says the same, as it does for Google's load balancer.
func newRule(host string, p networkingv1.HTTPIngressPath, to *backend) rule {
	r := rule{host: strings.ToLower(host), path: p.Path, backend: to}
	switch {
	case p.PathType != nil && *p.PathType == networkingv1.PathTypeExact:
		r.exact = true
	case p.PathType != nil && *p.PathType == networkingv1.PathTypeImplementationSpecific:
		r.path = strings.TrimSuffix(p.Path, "*")
	}
	return r
}

// byPrecedence orders rules: named hosts, wildcards, any host; exact paths, then
// longer before shorter.
func byPrecedence(a, b rule) int {
	if c := hostRank(a.host) - hostRank(b.host); c != 0 {
		return c
	}
	if a.exact != b.exact {
		if a.exact {
			return -1
		}
		return 1
	}
	return len(b.path) - len(a.path)
}

func hostRank(host string) int {
	switch {
	case host == "":
		return 2
	case strings.HasPrefix(host, "*"):
		return 1
	}
	return 0
}

// endpoints lists the ready addresses of a Service's port in its slices.
func endpoints(slicesOfService []*discoveryv1.EndpointSlice, portName string) []string {
	var found []string
	for _, s := range slicesOfService {
		for _, port := range s.Ports {
			if port.Port == nil || port.Name != nil && *port.Name != portName || port.Name == nil && portName != "" {
				continue
			}
			for i := range s.Endpoints {
				if ready := s.Endpoints[i].Conditions.Ready; ready != nil && !*ready {
					continue
				}
				for _, address := range s.Endpoints[i].Addresses {
					found = append(found, net.JoinHostPort(address, strconv.Itoa(int(*port.Port))))
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
