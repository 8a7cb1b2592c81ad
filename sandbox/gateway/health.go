package gateway

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// pool has the endpoints of the backends in use, and their health. All front ends share
// it.
type pool struct {
	config *Config
	client *http.Client

	mu       sync.Mutex
	backends map[string]*group // by namespace/name:port
}

// group is one backend. A new group knows nothing of its endpoints' health.
type group struct {
	turn    atomic.Uint64
	members map[string]*member // by address; guarded by the pool
	wanted  map[string]bool    // the Service's endpoints
	path    string             // of health checks
}

// endpoints are a backend's endpoints in Kubernetes, and the path of their health checks.
type endpoints struct {
	addresses []string
	path      string
}

// member is an attached endpoint. It begins unhealthy.
type member struct {
	healthy bool
	stop    context.CancelFunc
}

func newPool(c *Config) *pool {
	return &pool{
		config: c, backends: map[string]*group{},
		client: &http.Client{
			Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// follow updates the backends in use at once, and their endpoints after the delays.
func (p *pool) follow(ctx context.Context, backends map[string]endpoints) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, g := range p.backends {
		if _, used := backends[name]; !used {
			for _, m := range g.members {
				m.stop()
			}
			delete(p.backends, name)
		}
	}
	for name, of := range backends {
		g := p.backends[name]
		if g == nil {
			g = &group{members: map[string]*member{}}
			p.backends[name] = g
		}
		g.wanted, g.path = map[string]bool{}, of.path
		for _, a := range of.addresses {
			g.wanted[a] = true
			if g.members[a] == nil {
				time.AfterFunc(p.config.Delays.Attach, func() { p.attach(ctx, name, g, a) })
			}
		}
		for a := range g.members {
			if !g.wanted[a] {
				time.AfterFunc(p.config.Delays.Detach, func() { p.detach(g, a) })
			}
		}
	}
}

func (p *pool) attach(ctx context.Context, name string, g *group, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil || p.backends[name] != g || !g.wanted[address] || g.members[address] != nil {
		return
	}
	checking, stop := context.WithCancel(ctx)
	m := &member{stop: stop}
	g.members[address] = m
	go p.check(checking, name, address, g, m)
}

func (p *pool) detach(g *group, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := g.members[address]; m != nil && !g.wanted[address] {
		m.stop()
		delete(g.members, address)
	}
}

// check asks an endpoint every interval. One 200 makes it healthy, two failures in a row
// make it unhealthy.
func (p *pool) check(ctx context.Context, name, address string, g *group, m *member) {
	ticks := time.NewTicker(p.config.Delays.HealthInterval)
	defer ticks.Stop()
	for against := 0; ; {
		p.mu.Lock()
		path := g.path
		p.mu.Unlock()
		ok := p.ask(ctx, address+path)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		if before := m.healthy; ok {
			against, m.healthy = 0, true
			if !before {
				p.config.Log.DebugContext(ctx, "endpoint health", "backend", name, "endpoint", address, "healthy", true)
			}
		} else if against++; against >= 2 {
			m.healthy = false
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

func (p *pool) ask(ctx context.Context, at string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at, http.NoBody)
	if err != nil {
		return false
	}
	request.Header.Set("User-Agent", "GoogleHC/1.0")
	response, err := p.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// pick returns the next healthy endpoint of a backend, or "" if there is none.
func (p *pool) pick(backend string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.backends[backend]
	if g == nil {
		return ""
	}
	good := slices.DeleteFunc(slices.Sorted(maps.Keys(g.members)), func(a string) bool { return !g.members[a].healthy })
	if len(good) == 0 {
		return ""
	}
	return good[g.turn.Add(1)%uint64(len(good))]
}

// String shows how many endpoints of each backend are healthy.
func (p *pool) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.backends)) {
		healthy := 0
		for _, m := range p.backends[name].members {
			if m.healthy {
				healthy++
			}
		}
		all = append(all, name+" "+string(rune('0'+min(healthy, 9)))+"/"+string(rune('0'+min(len(p.backends[name].members), 9))))
	}
	return strings.Join(all, ", ")
}
