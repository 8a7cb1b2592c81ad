package gclb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bench is compute with its health checks and front ends, in a bubble of testing/synctest:
// without a cluster, a network or real time.
type bench struct {
	t       *testing.T
	config  *Config
	compute *compute
	fleet   *fleet
	answers sync.Map // endpoint → bool: its answer to health checks
	asked   atomic.Int64
}

const (
	blueName  = "global/backendServices/k8s1-blue"
	blueCheck = "global/healthChecks/k8s1-blue"
	blueNEG   = "zones/us-central1-b/networkEndpointGroups/k8s1-blue"
)

var podOne, podTwo = endpoint{"10.0.0.1", 8080, "node-1"}, endpoint{"10.0.0.2", 8080, "node-2"} //nolint:gochecknoglobals // values

// newBench starts a bench until the test ends; the handler answers for all pods.
func newBench(t *testing.T, delays Delays, handler http.Handler) *bench {
	t.Helper()
	b := &bench{t: t, config: &Config{
		FrontEnds: 3, Speed: 1, Delays: &delays, Project: "acme-prod", Zone: "us-central1-b", Address: "10.0.0.100",
		Log: slog.New(slog.DiscardHandler),
	}}
	b.fleet = newFleet(b.config)
	ctx, stop := context.WithCancel(t.Context())
	b.compute = newCompute(ctx, b.config, b.fleet.publish)
	for _, fe := range b.fleet.frontEnds {
		fe.compute = b.compute
		fe.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return dialPod(t, handler), nil }
	}
	var running sync.WaitGroup
	checks := &checker{compute: b.compute, probe: func(_ context.Context, e endpoint, _ healthCheck) bool {
		b.asked.Add(1)
		ok, _ := b.answers.Load(e)
		return ok == true
	}}
	running.Go(func() { checks.run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		for _, fe := range b.fleet.frontEnds {
			fe.transport.CloseIdleConnections()
		}
	})
	return b
}

// dialPod connects to a server of one connection.
func dialPod(t *testing.T, handler http.Handler) net.Conn {
	client, server := net.Pipe()
	served := &http.Server{Handler: handler} //nolint:gosec // G112: asked by the test only
	t.Cleanup(func() { _ = served.Close() })
	go func() { _ = served.Serve(&oneConn{conn: server, closed: make(chan struct{})}) }()
	return client
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	given  bool
	closed chan struct{}
}

// Accept returns the connection once, and then waits.
func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close ends Accept.
func (l *oneConn) Close() error { close(l.closed); return nil }

// Addr is not used.
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func (b *bench) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// call makes one call of the API and waits until it is done. It returns the answer, and the error
// as the client library reports it.
func (b *bench) call(method, where string, body any) (map[string]any, error) {
	text, err := json.Marshal(body)
	b.do(err)
	w := httptest.NewRecorder()
	b.compute.ServeHTTP(w, httptest.NewRequest(method, "/compute/v1/projects/acme-prod/"+where, bytes.NewReader(text)))
	var answer map[string]any
	b.do(json.Unmarshal(w.Body.Bytes(), &answer))
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("%d %s", w.Code, w.Body)
	}
	if answer["kind"] != "compute#operation" || strings.HasSuffix(where, "/wait") {
		return answer, nil
	}
	at, _ := placeOf(answer["selfLink"].(string))
	if answer, err = b.call(http.MethodPost, at.String()+"/wait", nil); err == nil && answer["error"] != nil {
		err = fmt.Errorf("%v %v", answer["httpErrorStatusCode"], answer["error"])
	}
	return answer, err
}

// must is a call that must not fail.
func (b *bench) must(method, where string, body any) map[string]any {
	b.t.Helper()
	answer, err := b.call(method, where, body)
	b.do(err)
	return answer
}

// insert creates a resource.
func (b *bench) insert(path string, body map[string]any) error {
	collection, name := path[:strings.LastIndex(path, "/")], shortName(path)
	whole := map[string]any{"name": name}
	maps.Copy(whole, body)
	_, err := b.call(http.MethodPost, collection, whole)
	return err
}

// endpoints attaches or detaches endpoints of blue's NEG.
func (b *bench) endpoints(verb string, endpoints ...endpoint) error {
	all := []any{}
	for _, e := range endpoints {
		all = append(all, map[string]any{"ipAddress": e.ip, "port": e.port, "instance": e.instance})
	}
	_, err := b.call(http.MethodPost, blueNEG+"/"+verb, map[string]any{"networkEndpoints": all})
	return err
}

func (b *bench) attach(endpoints ...endpoint) {
	b.t.Helper()
	b.do(b.endpoints("attachNetworkEndpoints", endpoints...))
}

func (b *bench) detach(endpoints ...endpoint) {
	b.t.Helper()
	b.do(b.endpoints("detachNetworkEndpoints", endpoints...))
}

// forward creates the URL map of the Ingress shop, and the resources that lead to it. All requests
// go to one backend service.
func (b *bench) forward(backend string) {
	b.t.Helper()
	b.do(b.insert("global/urlMaps/shop", map[string]any{"defaultService": backend}))
	b.do(b.insert("global/targetHttpProxies/shop", map[string]any{"urlMap": "global/urlMaps/shop"}))
	b.do(b.insert("global/forwardingRules/shop", map[string]any{"target": "projects/acme-prod/global/targetHttpProxies/shop"}))
}

// reroute sends all requests to another backend service.
func (b *bench) reroute(backend string) {
	b.t.Helper()
	b.must(http.MethodPut, "global/urlMaps/shop", map[string]any{"name": "shop", "defaultService": backend})
}

// system creates GKE's default backend.
func (b *bench) system() {
	b.t.Helper()
	b.do(b.insert(defaultName, map[string]any{"description": `{"kubernetes.io/service-name":"` + systemBackend + `"}`}))
}

const defaultName = "global/backendServices/default"

// serve creates a backend service with these endpoints, all healthy, and a URL map that sends all
// requests there. It returns when all front ends have adopted it.
func (b *bench) serve(backend map[string]any, endpoints ...endpoint) {
	b.t.Helper()
	b.do(b.insert(blueCheck, map[string]any{
		"checkIntervalSec": 15, "timeoutSec": 15, "healthyThreshold": 1, "unhealthyThreshold": 2,
		"httpHealthCheck": map[string]any{"requestPath": "/", "portSpecification": "USE_SERVING_PORT"},
	}))
	b.do(b.insert(blueNEG, nil))
	whole := map[string]any{"healthChecks": []string{blueCheck}, "backends": []any{map[string]any{"group": blueNEG}}}
	maps.Copy(whole, backend)
	b.do(b.insert(blueName, whole))
	b.system()
	b.attach(endpoints...)
	for _, e := range endpoints {
		b.answers.Store(e, true)
	}
	b.forward(blueName)
	b.pass(5 * time.Minute)
}

// pass lets time pass.
func (b *bench) pass(d time.Duration) {
	b.do(sleep(b.t.Context(), d))
	synctest.Wait()
}

// ask sends a request to one front end.
func (b *bench) ask(frontEnd int) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.fleet.frontEnds[frontEnd].ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	return w
}

func (b *bench) count() string {
	b.compute.mu.Lock()
	defer b.compute.mu.Unlock()
	return b.compute.count(blueName)
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }) //nolint:gochecknoglobals // a value
