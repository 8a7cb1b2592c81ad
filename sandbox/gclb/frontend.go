package gclb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"github.com/turnout-dev/turnout/sandbox/frontends"
)

// Timeouts of a front end: idle connections to endpoints last at most 600 s
// (cloud.google.com/load-balancing/docs/https, timeouts and retries).
const (
	backendKeepAlive = 600 * time.Second
	connectTimeout   = 2 * time.Second
)

// fleet is all front ends.
type fleet struct {
	config    *Config
	frontEnds []*frontEnd
}

// frontEnd sends requests by its adopted configuration.
type frontEnd struct {
	compute   *compute
	log       *slog.Logger
	adopted   frontends.Adopted[*view]
	turn      atomic.Uint64 // of endpoints
	transport *http.Transport
	reverse   *httputil.ReverseProxy
}

func newFleet(c *Config) *fleet {
	f := &fleet{config: c}
	for range c.FrontEnds {
		fe := &frontEnd{log: c.Log, transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     backendKeepAlive,
		}}
		fe.reverse = fe.newReverseProxy()
		fe.adopted.Adopt(&view{})
		f.frontEnds = append(f.frontEnds, fe)
	}
	return f
}

// publish makes every front end adopt a configuration at its own time, the first one first.
func (f *fleet) publish(v view) {
	n, first, last := len(f.frontEnds), f.config.scaled(f.config.Delays.FirstAdoption), f.config.scaled(f.config.Delays.LastAdoption)
	f.config.Adoption.publish(v.serial, v.leads)
	f.config.Adoption.record(v.serial, f.used())
	frontends.Stagger(n, first, last, func(i int) {
		if i == n-1 && max(first, last) > 0 && f.config.HoldAdoption != nil {
			f.config.HoldAdoption()
		}
		f.frontEnds[i].adopted.Adopt(&v)
		f.config.Adoption.record(v.serial, f.used())
	})
}

// used are the serials of the configurations that the front ends use.
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
		defer fe.transport.CloseIdleConnections()
	}
	return frontends.Serve(ctx, listener, f.config.Log, all)
}

// refusal is an answer of the load balancer itself. The details appear only in its log
// (statusDetails); a client does not see them.
type refusal struct {
	status  int
	details string
}

func (r refusal) Error() string { return r.details }

// What a front end answers instead of an endpoint.
var (
	// errNoIngress: nobody has this address ("you have lost your IP somehow, or just
	// typed in the wrong IP", docs/troubleshooting in ingress-gce).
	errNoIngress = refusal{http.StatusNotFound, "no URL map"}
	// errDefaultBackend is GKE's default backend's answer if no rule matches.
	errDefaultBackend = refusal{http.StatusNotFound, "default backend - 404"}
	// errRedirect: a FrontendConfig sends everything to HTTPS.
	errRedirect = refusal{http.StatusMovedPermanently, "redirected to HTTPS"}
	// errNoBackends: the backend service has no backends at all; a NEG is not linked
	// (oneuptime.com, "503 Backend Service Unavailable": no backends configured).
	errNoBackends = refusal{http.StatusServiceUnavailable, "no_backends"}
	// errNoHealthy: none of its endpoints is healthy, or its NEGs are empty or gone
	// (k8s-multicluster-ingress#215 names status and details; kubernetes/
	// ingress-gce#638 and #1756 the empty and the deleted NEG).
	errNoHealthy = refusal{http.StatusBadGateway, "failed_to_pick_backend"}
)

// target is where a request goes.
type target struct {
	*member
	backend backendService
}

// pick chooses an endpoint, the healthy ones in turn.
func (fe *frontEnd) pick(host, path string) (target, error) {
	v := fe.adopted.Load()
	m := v.mapFor(host)
	if m == nil {
		return target{}, errNoIngress
	}
	if m.redirects {
		return target{}, errRedirect
	}
	b := v.backends[m.route(host, path)]
	if b.system {
		return target{}, errDefaultBackend
	}
	if len(b.groups) == 0 {
		return target{}, errNoBackends
	}
	members := fe.compute.healthyMembers(b)
	if len(members) == 0 {
		return target{}, errNoHealthy
	}
	return target{member: members[fe.turn.Add(1)%uint64(len(members))], backend: b}, nil
}

// mapFor is the URL map that answers for a host. On Google each Ingress has its own address; here
// they share one, and the host decides. A host without a rule goes to the oldest map that takes
// any host, or else to the oldest.
func (v *view) mapFor(host string) *urlMap {
	var open *urlMap
	for i := range v.urlMaps {
		m := &v.urlMaps[i]
		if m.hasHost(host) {
			return m
		}
		if open == nil && m.takesAny(v.isSystem) {
			open = m
		}
	}
	if open == nil && len(v.urlMaps) > 0 {
		open = &v.urlMaps[0]
	}
	return open
}

// leads is the name of the backend service for a host's path; empty if there is none.
func (v *view) leads(host, path string) string {
	if m := v.mapFor(host); m != nil {
		return v.backends[m.route(host, path)].name
	}
	return ""
}

func (v *view) isSystem(backend string) bool { return v.backends[backend].system }

type targetKey struct{}

// ServeHTTP sends a request to an endpoint of its backend service. It breaks the request off when
// the answer takes longer than the backend service allows, or when the endpoint is detached and
// its draining is over.
func (fe *frontEnd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, err := fe.pick(r.Host, r.URL.Path)
	if errors.Is(err, errRedirect) {
		http.Redirect(w, r, "https://"+cleanHost(r.Host)+r.URL.RequestURI(), errRedirect.status)
		return
	}
	if err != nil {
		fe.refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), targetKey{}, to), to.backend.timeout)
	defer cancel()
	defer context.AfterFunc(to.gone, cancel)()
	fe.reverse.ServeHTTP(w, r.WithContext(ctx))
}

func (fe *frontEnd) newReverseProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: fe.transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = r.In.Context().Value(targetKey{}).(target).String()
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
			r.Out.Header.Set("Via", "1.1 google")
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Add("Via", "1.1 google")
			return nil
		},
		// The endpoint refused or broke the connection, or took too long: 502
		// (cloud.google.com/load-balancing/docs/https/troubleshooting-ext-https-lbs).
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			fe.refuse(w, r, refusal{http.StatusBadGateway, "backend_connection_closed_before_data_sent_to_client: " + err.Error()})
		},
		ErrorLog: slog.NewLogLogger(fe.log.Handler(), slog.LevelDebug),
	}
}

func (fe *frontEnd) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var why refusal
	if !errors.As(err, &why) {
		why = refusal{http.StatusBadGateway, err.Error()}
	}
	fe.log.DebugContext(r.Context(), "request refused", "host", r.Host, "path", r.URL.Path, "status", why.status, "status_details",
		why.details)
	body := fmt.Sprintf("%d %s", why.status, http.StatusText(why.status))
	if why == errDefaultBackend {
		body = why.details
	}
	http.Error(w, body, why.status)
}
