package gclb

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// verb is a call that is more than reading and writing a resource.
type verb func(*compute, *request) (any, *apiError)

// verbs are those that ingress-gce uses.
var verbs map[string]verb //nolint:gochecknoglobals // a table

func init() { //nolint:gochecknoinits // the table refers to itself through the methods
	verbs = map[string]verb{
		"networkEndpointGroups/attachNetworkEndpoints": (*compute).attach,
		"networkEndpointGroups/detachNetworkEndpoints": (*compute).detach,
		"networkEndpointGroups/listNetworkEndpoints":   (*compute).listEndpoints,
		"backendServices/getHealth":                    (*compute).health,
		"instanceGroups/addInstances":                  (*compute).addInstances,
		"instanceGroups/removeInstances":               (*compute).removeInstances,
		"instanceGroups/listInstances":                 (*compute).listInstances,
	}
	for _, setter := range []string{
		"targetHttpProxies/setUrlMap", "targetHttpsProxies/setUrlMap", "targetHttpsProxies/setSslCertificates", "targetHttpsProxies/setSslPolicy",
		"forwardingRules/setTarget", "instanceGroups/setNamedPorts",
	} {
		verbs[setter] = func(c *compute, q *request) (any, *apiError) { return c.update(q, true) }
	}
}

// endpointsOf are the endpoints in a request.
func endpointsOf(q *request) []endpoint {
	var read struct {
		Endpoints []struct {
			Instance  string `json:"instance"`
			IPAddress string `json:"ipAddress"`
			Port      int32  `json:"port"`
		} `json:"networkEndpoints"`
	}
	decode(q.body, &read)
	var all []endpoint
	for _, e := range read.Endpoints {
		all = append(all, endpoint{ip: e.IPAddress, port: e.Port, instance: e.Instance})
	}
	return all
}

// exists is the check of a change to an existing resource.
func (c *compute) exists(p place) func() *apiError {
	return func() *apiError {
		if c.find(p) == nil {
			return notFound(c.config.Project, p)
		}
		return nil
	}
}

// attach adds endpoints to a NEG. They are unhealthy until a health check succeeds.
func (c *compute) attach(q *request) (any, *apiError) {
	return c.begin(change{
		kind: "attachNetworkEndpoints", target: q.place, delay: c.config.Delays.Attach, check: c.exists(q.place),
		apply: func() {
			members := c.groups[q.place].members
			for _, e := range endpointsOf(q) {
				if members[e] == nil {
					members[e] = newMember(c.running, e)
				}
			}
			c.config.Log.Debug("endpoints attached", "neg", q.name, "count", len(endpointsOf(q)), "endpoints", len(members))
		},
	})
}

// detach removes endpoints: they get no new requests. Requests in flight may take the longest
// draining timeout of the backend services that use the NEG ("the largest timeout value is used",
// enabling-connection-draining); without one they are broken off.
func (c *compute) detach(q *request) (any, *apiError) {
	return c.begin(change{
		kind: "detachNetworkEndpoints", target: q.place, delay: c.config.Delays.Detach, check: c.exists(q.place),
		apply: func() {
			members := c.groups[q.place].members
			var draining time.Duration
			for _, b := range c.now.backends {
				if slices.Contains(b.groups, q.place) {
					draining = max(draining, b.draining)
				}
			}
			for _, e := range endpointsOf(q) {
				if m := members[e]; m != nil {
					delete(members, e)
					m.leaveAfter(draining)
				}
			}
			c.config.Log.Debug("endpoints detached", "neg", q.name, "count", len(endpointsOf(q)), "endpoints", len(members))
		},
	})
}

// sorted are a NEG's members in a stable order. The lock is held.
func (g *group) sorted() []*member {
	var all []*member
	for _, m := range g.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *member) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// listEndpoints lists a NEG's endpoints, and their health if asked for: by each
// backend service that uses the NEG and has a status for them.
func (c *compute) listEndpoints(q *request) (any, *apiError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[q.place]
	if g == nil {
		return nil, notFound(c.config.Project, q.place)
	}
	var items []any
	for _, m := range g.sorted() {
		item := map[string]any{"networkEndpoint": map[string]any{"ipAddress": m.ip, "port": m.port, "instance": m.instance}}
		var healths []any
		for name, v := range m.health {
			if b, found := c.now.backends[name]; found && slices.Contains(b.groups, q.place) {
				healths = append(healths, map[string]any{
					"healthState": v.state, "backendService": map[string]any{"backendService": links + c.config.Project + "/" + name},
				})
			}
		}
		if q.body["healthStatus"] == "SHOW" {
			item["healths"] = healths
		}
		items = append(items, item)
	}
	return map[string]any{"items": items}, nil
}

// health lists the health of a group's members by a backend service. Instances are always
// healthy, since only GKE's own default backend has them here.
func (c *compute) health(q *request) (any, *apiError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.find(q.place) == nil {
		return nil, notFound(c.config.Project, q.place)
	}
	c.config.Log.Debug("health asked", "backend", shortName(q.String()))
	text, _ := q.body["group"].(string)
	at, _ := placeOf(text)
	if c.find(at) == nil {
		return nil, notFound(c.config.Project, at)
	}
	all := []any{}
	if g := c.groups[at]; g != nil {
		for _, m := range g.sorted() {
			if v, listed := m.health[q.String()]; listed {
				all = append(all, map[string]any{"healthState": v.state, "ipAddress": m.ip, "port": m.port})
			}
		}
	}
	for _, instance := range c.instances[at] {
		all = append(all, map[string]any{"healthState": healthy, "instance": instance})
	}
	return map[string]any{"kind": "compute#backendServiceGroupHealth", "healthStatus": all}, nil
}

// instancesOf are the instances in a request.
func instancesOf(q *request) []string {
	var read struct {
		Instances []struct {
			Instance string `json:"instance"`
		} `json:"instances"`
	}
	decode(q.body, &read)
	var all []string
	for _, i := range read.Instances {
		all = append(all, i.Instance)
	}
	return all
}

func (c *compute) addInstances(q *request) (any, *apiError) {
	return c.begin(change{
		kind: "addInstances", target: q.place, delay: c.config.Delays.Operation, check: c.exists(q.place),
		apply: func() {
			all := append(slices.Clone(c.instances[q.place]), instancesOf(q)...)
			slices.Sort(all)
			c.instances[q.place] = slices.Compact(all)
		},
	})
}

func (c *compute) removeInstances(q *request) (any, *apiError) {
	return c.begin(change{
		kind: "removeInstances", target: q.place, delay: c.config.Delays.Operation, check: c.exists(q.place),
		apply: func() {
			gone := instancesOf(q)
			c.instances[q.place] = slices.DeleteFunc(slices.Clone(c.instances[q.place]), func(i string) bool { return slices.Contains(gone, i) })
		},
	})
}

func (c *compute) listInstances(q *request) (any, *apiError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.find(q.place) == nil {
		return nil, notFound(c.config.Project, q.place)
	}
	var items []any
	for _, instance := range c.instances[q.place] {
		items = append(items, map[string]any{"instance": instance, "status": "RUNNING"})
	}
	return map[string]any{"items": items}, nil
}

// metadata answers what a program on Google Cloud asks its machine for: a token.
func metadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	switch strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/") {
	case "instance/service-accounts/default/token":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"sandbox","expires_in":86400,"token_type":"Bearer"}`))
	case "universe/universe-domain", "universe/universe_domain":
		_, _ = w.Write([]byte("googleapis.com"))
	default:
		http.NotFound(w, r)
	}
}
