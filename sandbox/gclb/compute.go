package gclb

import (
	"context"
	"errors"
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

// compute is the part of the compute API that the controllers use: health
// checks, backend services, network endpoint groups and URL maps, in memory.
// Every change takes Delays.Operation; reading is instant. Deleting what another
// resource uses is refused, as there.
type compute struct {
	config *Config
	// publish is told of every configuration, in order, with the lock held. It must
	// not call back.
	publish func(view)
	changed chan struct{} // capacity 1: health checks may have to begin or end

	mu           sync.Mutex // guards the fields below, and what negs and members hold
	healthChecks map[string]healthCheck
	backends     map[string]backendService
	negs         map[negKey]*neg
	urlMaps      []urlMap // the oldest first
	serial       int      // of views and NEGs
}

// backendService sends to the healthy endpoints of its NEGs. It is a value.
type backendService struct {
	name string // also its health check's
	negs []negKey
	// timeout is how long an answer may take; compute's default is 30 s.
	timeout time.Duration
	// draining is how long a request in flight may take to an endpoint that was
	// detached. 0: it is broken off.
	draining time.Duration
}

// negKey names a network endpoint group; there is one for each zone.
type negKey struct{ name, zone string }

func (k negKey) String() string {
	return fmt.Sprintf("Key{%q, zone: %q}", k.name, k.zone)
}

type neg struct {
	id      string
	members map[endpoint]*member
}

// endpoint is a pod's address and port.
type endpoint struct {
	ip   string
	port int32
}

func (e endpoint) String() string {
	return net.JoinHostPort(e.ip, strconv.Itoa(int(e.port)))
}

// member is an endpoint for as long as it is in a NEG; attached again, it is
// another one and begins unhealthy.
type member struct {
	endpoint
	gone   context.Context // ends when requests in flight are broken off
	leave  context.CancelFunc
	health map[string]verdict // by backend service; one without has no status yet
}

// view is a configuration that front ends use: all but endpoints and health,
// which they know at once.
type view struct {
	serial   int
	urlMaps  []urlMap
	backends map[string]backendService
}

// What the compute API answers.
var (
	errNotFound = errors.New("was not found, notFound")
	errInUse    = errors.New("is already being used by another resource, resourceInUseByAnotherResource")
)

func newCompute(c *Config, publish func(view)) *compute {
	return &compute{
		config: c, publish: publish, changed: make(chan struct{}, 1),
		healthChecks: map[string]healthCheck{}, backends: map[string]backendService{}, negs: map[negKey]*neg{},
	}
}

// operate makes one change after its delay, unless ctx ends before.
func (c *compute) operate(ctx context.Context, delay time.Duration, change func() error) error {
	if err := sleep(ctx, c.config.scaled(delay)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := change(); err != nil {
		return err
	}
	if c.config.Delays.HealthListed <= 0 {
		c.listHealth()
	}
	select {
	case c.changed <- struct{}{}:
	default: // told already
	}
	return nil
}

// listHealth gives every endpoint of a backend service a health status. The lock
// is held.
func (c *compute) listHealth() {
	for name, b := range c.backends {
		for _, m := range c.members(b) {
			if _, listed := m.health[name]; !listed {
				m.health[name] = verdict{state: unhealthy}
			}
		}
	}
}

// configure is operate for what front ends adopt.
func (c *compute) configure(ctx context.Context, change func() error) error {
	return c.operate(ctx, c.config.Delays.Operation, func() error {
		if err := change(); err != nil {
			return err
		}
		c.serial++
		c.publish(view{serial: c.serial, urlMaps: slices.Clone(c.urlMaps), backends: maps.Clone(c.backends)})
		return nil
	})
}

func (c *compute) healthCheck(name string) *healthCheck {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h, found := c.healthChecks[name]; found {
		return &h
	}
	return nil
}

// putHealthCheck creates or changes one.
func (c *compute) putHealthCheck(ctx context.Context, name string, h healthCheck) error {
	return c.operate(ctx, c.config.Delays.Operation, func() error {
		c.healthChecks[name] = h
		c.config.Log.DebugContext(ctx, "health check set", "name", name, "path", h.path, "interval", h.interval)
		return nil
	})
}

func (c *compute) deleteHealthCheck(ctx context.Context, name string) error {
	return c.operate(ctx, c.config.Delays.Operation, func() error {
		if _, found := c.healthChecks[name]; !found {
			return fmt.Errorf("googleapi: Error 404: health check %q %w", name, errNotFound)
		}
		if _, used := c.backends[name]; used {
			return fmt.Errorf("googleapi: Error 400: health check %q %w", name, errInUse)
		}
		delete(c.healthChecks, name)
		c.config.Log.DebugContext(ctx, "health check deleted", "name", name)
		return nil
	})
}

func (c *compute) backend(name string) (backendService, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, found := c.backends[name]
	return b, found
}

// putBackend creates or changes a backend service. A new one knows nothing of
// its endpoints' health, whoever had its name before.
func (c *compute) putBackend(ctx context.Context, b backendService) error {
	return c.configure(ctx, func() error {
		if _, found := c.backends[b.name]; !found {
			for _, group := range c.negs {
				for _, m := range group.members {
					delete(m.health, b.name)
				}
			}
		}
		c.backends[b.name] = b
		c.config.Log.DebugContext(ctx, "backend service set", "name", b.name, "negs", len(b.negs), "endpoints", c.count(b.name))
		return nil
	})
}

// deleteBackend deletes a backend service that no URL map refers to.
func (c *compute) deleteBackend(ctx context.Context, name string) error {
	return c.configure(ctx, func() error {
		if _, found := c.backends[name]; !found {
			return fmt.Errorf("googleapi: Error 404: backend service %q %w", name, errNotFound)
		}
		for i := range c.urlMaps {
			if slices.Contains(c.urlMaps[i].backends(), name) {
				return fmt.Errorf("googleapi: Error 400: backend service %q %w", name, errInUse)
			}
		}
		delete(c.backends, name)
		c.config.Log.DebugContext(ctx, "backend service deleted", "name", name)
		return nil
	})
}

// backendNames lists all backend services, sorted.
func (c *compute) backendNames() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.backends))
}

func (c *compute) urlMap(name string) (urlMap, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.indexURLMap(name)
	if i < 0 {
		return urlMap{}, false
	}
	return c.urlMaps[i], true
}

func (c *compute) indexURLMap(name string) int {
	return slices.IndexFunc(c.urlMaps, func(m urlMap) bool { return m.name == name })
}

// putURLMap creates a URL map or replaces the whole of it.
func (c *compute) putURLMap(ctx context.Context, m urlMap) error {
	return c.configure(ctx, func() error {
		for _, name := range m.backends() {
			if _, found := c.backends[name]; !found && name != systemBackend {
				return fmt.Errorf("googleapi: Error 404: backend service %q %w", name, errNotFound)
			}
		}
		if i := c.indexURLMap(m.name); i >= 0 {
			c.urlMaps[i] = m
		} else {
			c.urlMaps = append(c.urlMaps, m)
		}
		c.config.Log.DebugContext(ctx, "url map set", "name", m.name, "backends", c.counts(m.backends()))
		return nil
	})
}

func (c *compute) deleteURLMap(ctx context.Context, name string) error {
	return c.configure(ctx, func() error {
		c.urlMaps = slices.DeleteFunc(slices.Clone(c.urlMaps), func(m urlMap) bool { return m.name == name })
		c.config.Log.DebugContext(ctx, "url map deleted", "name", name)
		return nil
	})
}

// state sums a backend service up for the annotation: HEALTHY as soon as one
// endpoint is, Unknown if there is none or no status (pkg/backends/backends.go:171-213).
func (c *compute) state(backend string) string {
	if backend == systemBackend {
		return healthy
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	state := "Unknown"
	for _, m := range c.members(c.backends[backend]) {
		v, listed := m.health[backend]
		if v.state == healthy {
			return healthy
		}
		if listed {
			state = v.state
		}
	}
	return state
}

// members are the endpoints of a backend service, in a stable order. The lock is
// held.
func (c *compute) members(b backendService) []*member {
	var all []*member
	for _, key := range b.negs {
		if group := c.negs[key]; group != nil {
			all = slices.AppendSeq(all, maps.Values(group.members))
		}
	}
	slices.SortFunc(all, func(a, b *member) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// healthyMembers are those that get requests. The lock is not held.
func (c *compute) healthyMembers(b backendService) []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(c.members(b), func(m *member) bool { return m.health[b.name].state != healthy })
}

// count says how many endpoints of a backend service are healthy of how many
// there are, for people. The lock is held.
func (c *compute) count(backend string) string {
	good, all := 0, c.members(c.backends[backend])
	for _, m := range all {
		if m.health[backend].state == healthy {
			good++
		}
	}
	return fmt.Sprintf("%d/%d", good, len(all))
}

func (c *compute) counts(backends []string) slog.Value {
	var attrs []slog.Attr
	for _, name := range backends {
		attrs = append(attrs, slog.String(name, c.count(name)))
	}
	return slog.GroupValue(attrs...)
}

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
