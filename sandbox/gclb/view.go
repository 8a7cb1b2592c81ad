package gclb

import (
	"encoding/json"
	"strings"
	"time"
)

// view is a configuration of front ends, without endpoints and health, which they know at once.
type view struct {
	serial   int
	urlMaps  []urlMap // that a forwarding rule leads to, the oldest rule's first
	backends map[string]backendService
}

// Serial grows with each view.
func (v *view) Serial() int { return v.serial }

// backendService sends to the healthy endpoints of its NEGs. It is a value.
type backendService struct {
	name        string // the full place: gce and gce-internal share names
	groups      []place
	healthCheck place
	// timeout is how long an answer may take.
	timeout time.Duration
	// draining is how long a request in flight to a detached endpoint may take. 0: it is broken
	// off.
	draining time.Duration
	// system is GKE's own default backend, which answers 404.
	system bool
}

// decode reads the needed fields of an object.
func decode(o object, into any) {
	text, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		panic(err) // it came as JSON, and the API's client is typed
	}
}

// configuration is the current configuration of all front ends. The lock is held.
func (c *compute) configuration() view {
	v := view{serial: c.serial, backends: map[string]backendService{}}
	seen := map[place]bool{}
	for _, r := range c.resources {
		switch r.collection {
		case "backendServices":
			v.backends[r.String()] = readBackendService(r)
		case "forwardingRules":
			if m := c.servedBy(r); m != nil && !seen[m.place] {
				seen[m.place] = true
				v.urlMaps = append(v.urlMaps, c.withHosts(readURLMap(m), m.scope))
			}
		}
	}
	return v
}

// withHosts gives a URL map that only redirects, and has no hosts, the hosts of the same
// Ingress's other map, which HTTPS leads to. With one address for all Ingresses, nothing else
// shows whose requests it redirects. The redirecting map's fallback shows whether the other one
// takes any host. The lock is held.
func (c *compute) withHosts(m urlMap, scope string) urlMap {
	if other := c.find(place{scope, "urlMaps", strings.Replace(m.name, "-rm-", "-um-", 1)}); m.redirects && other != nil {
		secure := readURLMap(other)
		m.hosts, m.fallback = secure.hosts, secure.fallback
	}
	return m
}

// servedBy is the URL map that a forwarding rule leads to; nil: none, or only for HTTPS, which
// the sandbox's front ends do not serve. The lock is held.
func (c *compute) servedBy(rule *resource) *resource {
	var read struct {
		Target string `json:"target"`
	}
	decode(rule.object, &read)
	at, ok := placeOf(read.Target)
	proxy := c.find(at)
	if !ok || proxy == nil || proxy.collection != "targetHttpProxies" {
		return nil
	}
	var through struct {
		URLMap string `json:"urlMap"`
	}
	decode(proxy.object, &through)
	at, _ = placeOf(through.URLMap)
	return c.find(at)
}

func readBackendService(r *resource) backendService {
	var read struct {
		Description        string   `json:"description"`
		TimeoutSec         int64    `json:"timeoutSec"`
		HealthChecks       []string `json:"healthChecks"`
		ConnectionDraining struct {
			DrainingTimeoutSec int64 `json:"drainingTimeoutSec"`
		} `json:"connectionDraining"`
		Backends []struct {
			Group string `json:"group"`
		} `json:"backends"`
	}
	decode(r.object, &read)
	b := backendService{
		name: r.String(), timeout: time.Duration(read.TimeoutSec) * time.Second,
		draining: time.Duration(read.ConnectionDraining.DrainingTimeoutSec) * time.Second,
		system:   strings.Contains(read.Description, `"`+systemBackend+`"`),
	}
	if len(read.HealthChecks) > 0 {
		b.healthCheck, _ = placeOf(read.HealthChecks[0])
	}
	for _, backend := range read.Backends {
		if p, ok := placeOf(backend.Group); ok && p.collection == "networkEndpointGroups" {
			b.groups = append(b.groups, p)
		}
	}
	return b
}

// redirection is the answer of a FrontendConfig's URL map.
type redirection struct {
	HTTPSRedirect        bool   `json:"httpsRedirect"`
	RedirectResponseCode string `json:"redirectResponseCode"`
}

func readURLMap(r *resource) urlMap {
	var read struct {
		DefaultService     string       `json:"defaultService"`
		DefaultURLRedirect *redirection `json:"defaultUrlRedirect"`
		HostRules          []struct {
			Hosts       []string `json:"hosts"`
			PathMatcher string   `json:"pathMatcher"`
		} `json:"hostRules"`
		PathMatchers []struct {
			Name           string `json:"name"`
			DefaultService string `json:"defaultService"`
			PathRules      []struct {
				Paths   []string `json:"paths"`
				Service string   `json:"service"`
			} `json:"pathRules"`
		} `json:"pathMatchers"`
	}
	decode(r.object, &read)
	m := urlMap{name: r.name, fallback: backendAt(read.DefaultService), redirects: read.DefaultURLRedirect != nil}
	for _, rule := range read.HostRules {
		for _, matcher := range read.PathMatchers {
			if matcher.Name != rule.PathMatcher {
				continue
			}
			var paths []pathRule
			for _, p := range matcher.PathRules {
				for _, path := range p.Paths {
					paths = append(paths, pathRule{path: path, backend: backendAt(p.Service)})
				}
			}
			for _, host := range rule.Hosts {
				m.hosts = append(m.hosts, hostRule{host: host, paths: paths, fallback: backendAt(matcher.DefaultService)})
			}
		}
	}
	return m
}

func backendAt(link string) string {
	p, ok := placeOf(link)
	if !ok {
		return ""
	}
	return p.String()
}

// readHealthCheck reads an HTTP health check.
func readHealthCheck(o object) healthCheck {
	var read struct {
		CheckIntervalSec   int64 `json:"checkIntervalSec"`
		TimeoutSec         int64 `json:"timeoutSec"`
		HealthyThreshold   int   `json:"healthyThreshold"`
		UnhealthyThreshold int   `json:"unhealthyThreshold"`
		HTTP               struct {
			RequestPath       string `json:"requestPath"`
			Host              string `json:"host"`
			Port              int32  `json:"port"`
			PortSpecification string `json:"portSpecification"`
		} `json:"httpHealthCheck"`
	}
	decode(o, &read)
	h := healthCheck{
		path: read.HTTP.RequestPath, host: read.HTTP.Host, healthy: read.HealthyThreshold, unhealthy: read.UnhealthyThreshold,
		interval: time.Duration(read.CheckIntervalSec) * time.Second, timeout: time.Duration(read.TimeoutSec) * time.Second,
	}
	if read.HTTP.PortSpecification != "USE_SERVING_PORT" {
		h.port = read.HTTP.Port
	}
	return h
}
