package gclb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// negID returns the identifier of a NEG, "" if there is none.
func (c *compute) negID(key negKey) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if group := c.negs[key]; group != nil {
		return group.id
	}
	return ""
}

func (c *compute) createNEG(ctx context.Context, key negKey) error {
	return c.operate(ctx, c.config.Delays.Operation, func() error {
		if c.negs[key] == nil {
			c.serial++
			c.negs[key] = &neg{id: strconv.Itoa(c.serial), members: map[endpoint]*member{}}
			c.config.Log.DebugContext(ctx, "neg created", "name", key.name, "zone", key.zone)
		}
		return nil
	})
}

// deleteNEG deletes a NEG with its endpoints, without draining: that "doesn't
// apply when you disconnect a backend" (cloud.google.com/load-balancing/docs/
// enabling-connection-draining). One that a backend service uses is refused.
func (c *compute) deleteNEG(ctx context.Context, key negKey) error {
	return c.operate(ctx, c.config.Delays.Operation, func() error {
		group := c.negs[key]
		if group == nil {
			return fmt.Errorf("googleapi: Error 404: network endpoint group %v %w", key, errNotFound)
		}
		for _, b := range c.backends {
			if slices.Contains(b.negs, key) && !c.config.DeleteUsedNEGs {
				return fmt.Errorf("googleapi: Error 400: network endpoint group %v %w", key, errInUse)
			}
		}
		for _, m := range group.members {
			m.leave()
		}
		delete(c.negs, key)
		c.config.Log.DebugContext(ctx, "neg deleted", "name", key.name, "zone", key.zone)
		return nil
	})
}

// attach adds endpoints to a NEG. They are unhealthy until health checks found
// otherwise.
func (c *compute) attach(ctx context.Context, key negKey, endpoints []endpoint) error {
	return c.operate(ctx, c.config.Delays.Attach, func() error {
		group := c.negs[key]
		if group == nil {
			return fmt.Errorf("googleapi: Error 404: network endpoint group %v %w", key, errNotFound)
		}
		for _, e := range endpoints {
			if group.members[e] == nil {
				group.members[e] = newMember(ctx, e)
			}
		}
		c.config.Log.DebugContext(ctx, "endpoints attached", "neg", key.name, "count", len(endpoints), "endpoints", len(group.members))
		return nil
	})
}

// detach removes endpoints: no new request gets there. Those in flight may take
// the longest draining timeout of the backend services that use the NEG ("the
// largest timeout value is used", enabling-connection-draining); without one they
// are broken off.
func (c *compute) detach(ctx context.Context, key negKey, endpoints []endpoint) error {
	return c.operate(ctx, c.config.Delays.Detach, func() error {
		group := c.negs[key]
		if group == nil {
			return fmt.Errorf("googleapi: Error 404: network endpoint group %v %w", key, errNotFound)
		}
		var draining time.Duration
		for _, b := range c.backends {
			if slices.Contains(b.negs, key) {
				draining = max(draining, b.draining)
			}
		}
		for _, e := range endpoints {
			if m := group.members[e]; m != nil {
				delete(group.members, e)
				m.leaveAfter(draining)
			}
		}
		c.config.Log.DebugContext(ctx, "endpoints detached", "neg", key.name, "count", len(endpoints), "endpoints", len(group.members))
		return nil
	})
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

// endpointHealth is what listing a NEG's endpoints with their health tells.
type endpointHealth struct {
	endpoint
	states map[string]string // by backend service; empty: not health-checked, or not yet
}

// listEndpoints lists a NEG's endpoints, sorted.
func (c *compute) listEndpoints(key negKey) ([]endpointHealth, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	group := c.negs[key]
	if group == nil {
		return nil, fmt.Errorf("googleapi: Error 404: network endpoint group %v %w", key, errNotFound)
	}
	var all []endpointHealth
	for e, m := range group.members {
		listed := endpointHealth{endpoint: e, states: map[string]string{}}
		for backend, v := range m.health {
			if b, found := c.backends[backend]; found && slices.Contains(b.negs, key) {
				listed.states[backend] = v.state
			}
		}
		all = append(all, listed)
	}
	slices.SortFunc(all, func(a, b endpointHealth) int { return compareEndpoints(a.endpoint, b.endpoint) })
	return all, nil
}
