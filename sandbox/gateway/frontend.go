package gateway

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/turnout-dev/turnout/sandbox/frontends"
)

// fleet is all front ends.
type fleet struct {
	config    *Config
	frontEnds []*frontEnd
}

// frontEnd forwards requests by the table that it has adopted.
type frontEnd struct {
	pool    *pool
	log     *slog.Logger
	adopted frontends.Adopted[*table]
	reverse *httputil.ReverseProxy
}

func newFleet(c *Config, p *pool) *fleet {
	f := &fleet{config: c}
	for range c.FrontEnds {
		fe := &frontEnd{pool: p, log: c.Log}
		fe.adopted.Adopt(&table{})
		fe.reverse = fe.newReverseProxy()
		f.frontEnds = append(f.frontEnds, fe)
	}
	return f
}

// publish makes the front ends adopt a table one after the other.
func (f *fleet) publish(t *table) {
	f.config.Adoption.Record(t.serial, f.used())
	frontends.Stagger(len(f.frontEnds), f.config.Delays.FirstAdoption, f.config.Delays.LastAdoption, func(i int) {
		f.frontEnds[i].adopted.Adopt(t)
		f.config.Adoption.Record(t.serial, f.used())
	})
}

// used are the serials of the tables that the front ends use.
func (f *fleet) used() (serials []int) {
	for _, fe := range f.frontEnds {
		serials = append(serials, fe.adopted.Load().serial)
	}
	return serials
}

// serve answers clients until ctx ends.
func (f *fleet) serve(ctx context.Context, listener net.Listener) error {
	var all []http.Handler
	for _, fe := range f.frontEnds {
		all = append(all, fe)
	}
	return frontends.Serve(ctx, listener, f.config.Log, all)
}

// pick chooses a backend by weight: each gets its share of the sum, and weight 0 gets
// nothing (shared_types.go, BackendRef.Weight).
func (r *rule) pick(random func(n int) int) (backend, bool) {
	sum := 0
	for _, b := range r.backends {
		sum += b.weight
	}
	if sum == 0 {
		return backend{}, false
	}
	at := random(sum)
	for _, b := range r.backends {
		if at -= b.weight; at < 0 {
			return b, true
		}
	}
	return backend{}, false
}

type targetKey struct{}

// target is the endpoint of a request, and the rule whose filters change it.
type target struct {
	address string
	rule    *rule
}

// ServeHTTP forwards a request to an endpoint of the backend that its rule picks.
func (fe *frontEnd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := fe.adopted.Load().route(r)
	if e == nil {
		fe.refuse(w, r, http.StatusNotFound, "no rule matches") // httproute_types.go, Matches
		return
	}
	for _, f := range e.rule.filters {
		if f.RequestRedirect != nil {
			redirect(w, r, f.RequestRedirect)
			return
		}
	}
	b, any := e.rule.pick(rand.IntN)
	if !any || b.service == "" {
		fe.refuse(w, r, http.StatusInternalServerError, "invalid backend, or all weights are 0") // httproute_types.go, BackendRefs
		return
	}
	address := fe.pool.pick(b.service)
	if address == "" {
		fe.refuse(w, r, http.StatusServiceUnavailable, b.service+" has no healthy endpoint") // as above
		return
	}
	fe.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, target{address, e.rule})))
}

// redirect answers with a redirect (httproute_types.go, HTTPRequestRedirectFilter).
func redirect(w http.ResponseWriter, r *http.Request, f *gatewayv1.HTTPRequestRedirectFilter) {
	to := *r.URL
	to.Scheme, to.Host = "http", r.Host
	if f.Scheme != nil {
		to.Scheme = *f.Scheme
	}
	if f.Hostname != nil {
		to.Host = string(*f.Hostname)
	}
	status := http.StatusFound
	if f.StatusCode != nil {
		status = *f.StatusCode
	}
	http.Redirect(w, r, to.String(), status)
}

func (fe *frontEnd) newReverseProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, MaxIdleConnsPerHost: 64},
		Rewrite: func(r *httputil.ProxyRequest) {
			to := r.In.Context().Value(targetKey{}).(target)
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", to.address, r.In.Host
			r.SetXForwarded()
			for _, f := range to.rule.filters {
				modify(r.Out.Header, f.RequestHeaderModifier)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			for _, f := range r.Request.Context().Value(targetKey{}).(target).rule.filters {
				modify(r.Header, f.ResponseHeaderModifier)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			fe.refuse(w, r, http.StatusBadGateway, "the endpoint broke the connection: "+err.Error())
		},
		ErrorLog: slog.NewLogLogger(fe.log.Handler(), slog.LevelDebug),
	}
}

// modify sets, adds and removes headers (httproute_types.go, HTTPHeaderFilter).
func modify(h http.Header, f *gatewayv1.HTTPHeaderFilter) {
	if f == nil {
		return
	}
	for _, s := range f.Set {
		h.Set(string(s.Name), s.Value)
	}
	for _, a := range f.Add {
		h.Add(string(a.Name), a.Value)
	}
	for _, name := range f.Remove {
		h.Del(name)
	}
}

func (fe *frontEnd) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	fe.log.DebugContext(r.Context(), "request refused", "host", r.Host, "path", r.URL.Path, "status", status, "why", why, "backends", fe.pool)
	http.Error(w, http.StatusText(status), status)
}
