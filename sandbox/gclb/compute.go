package gclb

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// compute is Google's Compute API with its resources in memory, as far as ingress-gce uses it:
// forwarding rules, target proxies, URL maps, backend services, health checks, network endpoint
// groups, and whatever else its Ingresses need. It is an http.Handler (api.go). Every change is
// an operation that takes Delays.Operation; reading is instant. A resource that another one uses
// cannot be deleted.
type compute struct {
	config *Config
	// publish receives every configuration, in order, with the lock held. It must not call back.
	publish func(view)
	changed chan struct{} // capacity 1: health checks may have to begin or end
	// running ends the operations in progress.
	running context.Context

	mu         sync.Mutex  // guards the fields below, and what groups and members hold
	resources  []*resource // oldest first
	groups     map[place]*group
	instances  map[place][]string // of instance groups
	operations map[string]*operation
	serial     int // of resources, operations and views
	now        view
}

// group is the endpoints of a NEG.
type group struct {
	members map[endpoint]*member
}

// endpoint is a pod's address and port, and its node.
type endpoint struct {
	ip       string
	port     int32
	instance string
}

func (e endpoint) String() string {
	return net.JoinHostPort(e.ip, strconv.Itoa(int(e.port)))
}

// member is an endpoint's time in a NEG. Attached again, it is a new member and begins unhealthy.
type member struct {
	endpoint
	gone   context.Context // ends when requests in flight are broken off
	leave  context.CancelFunc
	health map[string]verdict // by backend service; no entry: no status yet
}

func newMember(ctx context.Context, e endpoint) *member {
	gone, leave := context.WithCancel(context.WithoutCancel(ctx))
	return &member{endpoint: e, gone: gone, leave: leave, health: map[string]verdict{}}
}

func (m *member) leaveAfter(d time.Duration) {
	if d == 0 {
		m.leave()
		return
	}
	time.AfterFunc(d, m.leave)
}

// newCompute is the API until ctx ends, with the initial contents of a project: a network with
// its subnetworks, and zones.
func newCompute(ctx context.Context, c *Config, publish func(view)) *compute {
	api := &compute{
		config: c, publish: publish, changed: make(chan struct{}, 1), running: ctx,
		groups: map[place]*group{}, instances: map[place][]string{}, operations: map[string]*operation{},
	}
	region := regionOf(c.Zone)
	network := map[string]any{"autoCreateSubnetworks": true, "IPv4Range": ""}
	proxies := map[string]any{"purpose": "REGIONAL_MANAGED_PROXY", "role": "ACTIVE", "ipCidrRange": "10.129.0.0/23"}
	for _, r := range []*resource{
		{place{"global", "networks", networkName}, network},
		{place{"regions/" + region, "subnetworks", networkName}, map[string]any{"ipCidrRange": "10.128.0.0/20"}},
		{place{"regions/" + region, "subnetworks", "proxies"}, proxies},
	} {
		if r.collection == "subnetworks" {
			r.object["network"] = "projects/" + c.Project + "/global/networks/" + networkName
		}
		r.object = api.finish(r.place, r.object, nil)
		api.resources = append(api.resources, r)
	}
	return api
}

// networkName is that of the network and of the nodes' subnetwork.
const networkName = "default"

// regionOf is a zone's region.
func regionOf(zone string) string { return zone[:strings.LastIndex(zone, "-")] }

// find returns nil if there is no such resource. The lock is held.
func (c *compute) find(p place) *resource {
	if i := slices.IndexFunc(c.resources, func(r *resource) bool { return r.place == p }); i >= 0 {
		return c.resources[i]
	}
	return nil
}

// put replaces an object. The lock is held.
func (c *compute) put(p place, o object) {
	if old := c.find(p); old != nil {
		old.object = o
		return
	}
	c.resources = append(c.resources, &resource{p, o})
	if p.collection == "networkEndpointGroups" {
		c.groups[p] = &group{members: map[endpoint]*member{}}
	}
}

// remove deletes a resource. The endpoints of a NEG leave without draining: that "doesn't apply
// when you disconnect a backend"
// (cloud.google.com/load-balancing/docs/enabling-connection-draining). The lock is held.
func (c *compute) remove(p place) {
	c.resources = slices.DeleteFunc(c.resources, func(r *resource) bool { return r.place == p })
	if g := c.groups[p]; g != nil {
		for _, m := range g.members {
			m.leave()
		}
		delete(c.groups, p)
	}
}

// user is a resource that refers to another, nil if there is none. The lock is held.
func (c *compute) user(of place) *resource {
	for _, r := range c.resources {
		if slices.Contains(references(r.object), of) {
			return r
		}
	}
	return nil
}

// lacking is the error if an object refers to a missing resource. The lock is held.
func (c *compute) lacking(o map[string]any) *apiError {
	for _, p := range references(o) {
		if c.find(p) == nil {
			return notFound(c.config.Project, p)
		}
	}
	return nil
}

// settle announces a change to front ends, to the health checks and to the log. The lock is held.
func (c *compute) settle(changed place) {
	before := c.now.backends
	c.serial++
	c.now = c.configuration()
	for name := range c.now.backends {
		if _, known := before[name]; !known { // a new one knows nothing of its endpoints' health, whoever had its name before
			for _, g := range c.groups {
				for _, m := range g.members {
					delete(m.health, name)
				}
			}
		}
	}
	if slices.Contains(adopted, changed.collection) {
		c.publish(c.now)
	}
	if c.config.Delays.HealthListed <= 0 {
		c.listHealth()
	}
	select {
	case c.changed <- struct{}{}:
	default: // announced already
	}
}

// adopted are the collections that front ends adopt late; they know endpoints and health at once.
var adopted = []string{ //nolint:gochecknoglobals // a list
	"forwardingRules", "targetHttpProxies", "targetHttpsProxies", "urlMaps", "backendServices",
}

// listHealth gives every endpoint of a backend service a health status. The lock
// is held.
func (c *compute) listHealth() {
	for name, b := range c.now.backends {
		for _, m := range c.members(b) {
			if _, listed := m.health[name]; !listed {
				m.health[name] = verdict{state: unhealthy}
			}
		}
	}
}

// healthCheckOf is the health check of a backend service; nil: it is gone.
func (c *compute) healthCheckOf(backend string) *healthCheck {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, found := c.now.backends[backend]
	if !found {
		return nil
	}
	if r := c.find(b.healthCheck); r != nil {
		return new(readHealthCheck(r.object))
	}
	return nil
}

// members are the endpoints of a backend service, in a stable order. The lock is
// held.
func (c *compute) members(b backendService) []*member {
	var all []*member
	for _, p := range b.groups {
		if g := c.groups[p]; g != nil {
			all = slices.AppendSeq(all, maps.Values(g.members))
		}
	}
	slices.SortFunc(all, func(a, b *member) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// healthyMembers are the members that get requests. The lock is not held.
func (c *compute) healthyMembers(b backendService) []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(c.members(b), func(m *member) bool { return m.health[b.name].state != healthy })
}

// count describes to people how many endpoints of a backend service are healthy. The lock is
// held.
func (c *compute) count(backend string) string {
	good, all := 0, c.members(c.now.backends[backend])
	for _, m := range all {
		if m.health[backend].state == healthy {
			good++
		}
	}
	return fmt.Sprintf("%d/%d", good, len(all))
}

func (c *compute) counts(m urlMap) slog.Value {
	var attrs []slog.Attr
	for _, name := range m.backends() {
		attrs = append(attrs, slog.String(shortName(name), c.count(name)))
	}
	return slog.GroupValue(attrs...)
}

// shortName is a resource's name without its place.
func shortName(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
