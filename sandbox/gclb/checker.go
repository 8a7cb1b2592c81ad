package gclb

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// checker checks the health of every endpoint of every backend service.
type checker struct {
	compute *compute
	// probe sends one request to an endpoint.
	probe func(ctx context.Context, e endpoint, h healthCheck) bool
}

// checked is one thing to check: two backend services that share a NEG check its endpoints twice.
type checked struct {
	backend string
	member  *member
}

// run checks until ctx ends and all checks have ended.
func (k *checker) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	stops := map[checked]context.CancelFunc{}
	for {
		wanted := k.wanted()
		for key, stop := range stops {
			if !wanted[key] {
				stop()
				delete(stops, key)
			}
		}
		for key := range wanted {
			if stops[key] == nil {
				checking, stop := context.WithCancel(ctx)
				stops[key] = stop
				running.Go(func() { k.check(checking, key) })
			}
		}
		select {
		case <-ctx.Done():
			for _, stop := range stops {
				stop()
			}
			return
		case <-k.compute.changed:
		}
	}
}

func (k *checker) wanted() map[checked]bool {
	c := k.compute
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[checked]bool{}
	for name, b := range c.now.backends {
		for _, m := range c.members(b) {
			all[checked{name, m}] = true
		}
	}
	return all
}

// check checks one endpoint until ctx ends: listed after HealthListed, probed from
// HealthCheckStart on, once in every interval. The last result stays: a front end that still uses
// a deleted backend service continues with it.
func (k *checker) check(ctx context.Context, key checked) {
	config := k.compute.config
	if sleep(ctx, config.scaled(config.Delays.HealthListed)) != nil {
		return
	}
	v := verdict{state: unhealthy}
	k.record(key, v)
	if sleep(ctx, config.scaled(config.Delays.HealthCheckStart)) != nil {
		return
	}
	if config.HoldHealth != nil {
		config.HoldHealth(ctx, key.member.ip)
	}
	for ctx.Err() == nil {
		h := k.compute.healthCheckOf(key.backend)
		if h == nil {
			return // deleted; the backend service will follow
		}
		asking, done := context.WithTimeout(ctx, h.timeout)
		ok := k.probe(asking, key.member.endpoint, *h)
		done()
		if ctx.Err() != nil {
			return
		}
		v = v.judge(ok, *h)
		k.record(key, v)
		if sleep(ctx, config.scaled(h.interval)) != nil {
			return
		}
	}
}

func (k *checker) record(key checked, v verdict) {
	c := k.compute
	c.mu.Lock()
	defer c.mu.Unlock()
	before := key.member.health[key.backend].state
	key.member.health[key.backend] = v
	if before != v.state {
		c.config.Log.Debug("endpoint health", "backend", shortName(key.backend), "endpoint", key.member.String(), "state", v.state, "endpoints",
			c.count(key.backend))
	}
}

// probeHTTP is a health check's request: only 200 is healthy
// (cloud.google.com/load-balancing/docs/health-check-concepts, success criteria).
func probeHTTP(client *http.Client) func(context.Context, endpoint, healthCheck) bool {
	return func(ctx context.Context, e endpoint, h healthCheck) bool {
		port := e.port
		if h.port != 0 {
			port = h.port
		}
		url := "http://" + net.JoinHostPort(e.ip, strconv.Itoa(int(port))) + h.path
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return false
		}
		request.Host = h.host
		request.Header.Set("User-Agent", "GoogleHC/1.0")
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
}

// newProbeClient makes a connection for every request and follows no redirect.
func newProbeClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
