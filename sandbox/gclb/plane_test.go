package gclb

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// bench is compute with its health checks and front ends, in a bubble of
// testing/synctest: no cluster, no network, no time that passes.
type bench struct {
	t       *testing.T
	config  *Config
	compute *compute
	fleet   *fleet
	answers sync.Map // endpoint → bool: what it says to health checks
	asked   atomic.Int64
}

const (
	blueName = "k8s1-blue"
	zone     = "us-central1-b"
)

var blueNEG, podOne, podTwo = negKey{blueName, zone}, endpoint{"10.0.0.1", 8080}, endpoint{"10.0.0.2", 8080} //nolint:gochecknoglobals // values

// newBench runs until the test ends; pods answer by this handler.
func newBench(t *testing.T, delays Delays, handler http.Handler) *bench {
	t.Helper()
	b := &bench{t: t, config: &Config{FrontEnds: 3, Speed: 1, Delays: &delays, Log: slog.New(slog.DiscardHandler)}}
	b.fleet = newFleet(b.config)
	b.compute = newCompute(b.config, b.fleet.publish)
	for _, fe := range b.fleet.frontEnds {
		fe.compute = b.compute
		fe.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return dialPod(t, handler), nil }
	}
	ctx, stop := context.WithCancel(t.Context())
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

// Addr is nobody's.
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func (b *bench) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// serve makes a backend service with these endpoints, healthy, and a URL map
// that sends everything there; it returns when all front ends have adopted that.
func (b *bench) serve(backend backendService, endpoints ...endpoint) {
	b.t.Helper()
	ctx := b.t.Context()
	backend.name, backend.negs = blueName, []negKey{blueNEG}
	if backend.timeout == 0 {
		backend.timeout = defaultTimeout
	}
	b.do(b.compute.putHealthCheck(ctx, blueName, newHealthCheck(nil)))
	b.do(b.compute.createNEG(ctx, blueNEG))
	b.do(b.compute.putBackend(ctx, backend))
	b.do(b.compute.attach(ctx, blueNEG, endpoints))
	for _, e := range endpoints {
		b.answers.Store(e, true)
	}
	b.do(b.compute.putURLMap(ctx, urlMap{name: "shop", fallback: blueName}))
	b.pass(5 * time.Minute)
}

// pass lets time pass.
func (b *bench) pass(d time.Duration) {
	b.do(sleep(b.t.Context(), d))
	synctest.Wait()
}

// ask asks one front end.
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

func TestEndpointBecomesHealthyAfterTheStartAndUnhealthyAfterTwoIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthCheckStart: 10 * time.Second}, hello)
		b.serve(backendService{})
		b.answers.Store(podOne, true)
		b.do(b.compute.attach(t.Context(), blueNEG, []endpoint{podOne}))
		b.pass(9 * time.Second)
		if got := b.count(); got != "0/1" {
			t.Errorf("before the checks began: %s", got)
		}
		b.pass(2 * time.Second)
		if got := b.count(); got != "1/1" {
			t.Errorf("after the first check: %s", got)
		}
		b.answers.Store(podOne, false)
		b.pass(15 * time.Second)
		if got := b.count(); got != "1/1" {
			t.Errorf("after one bad answer: %s", got)
		}
		b.pass(15 * time.Second)
		if got := b.count(); got != "0/1" {
			t.Errorf("after two bad answers: %s", got)
		}
		b.answers.Store(podOne, true)
		b.pass(15 * time.Second)
		if got := b.count(); got != "1/1" {
			t.Errorf("after one good answer: %s", got)
		}
	})
}

func TestEndpointAttachedAgainAndBackendMadeAgainBeginUnhealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthCheckStart: time.Second}, hello)
		b.serve(backendService{}, podOne)
		b.do(b.compute.detach(t.Context(), blueNEG, []endpoint{podOne}))
		b.do(b.compute.attach(t.Context(), blueNEG, []endpoint{podOne}))
		if got := b.count(); got != "0/1" {
			t.Errorf("attached again: %s", got)
		}
		b.pass(2 * time.Second)
		b.do(b.compute.deleteURLMap(t.Context(), "shop"))
		b.do(b.compute.deleteBackend(t.Context(), blueName))
		b.do(b.compute.putBackend(t.Context(), backendService{name: blueName, negs: []negKey{blueNEG}}))
		if got := b.count(); got != "0/1" {
			t.Errorf("made again: %s", got)
		}
	})
}

func TestStatusIsUnknownWithoutEndpointsAndHealthyWithOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthListed: time.Second, HealthCheckStart: time.Second}, hello)
		b.serve(backendService{})
		states := []string{b.compute.state(systemBackend), b.compute.state("nobody"), b.compute.state(blueName)}
		b.do(b.compute.attach(t.Context(), blueNEG, []endpoint{podOne, podTwo}))
		states = append(states, b.compute.state(blueName))
		b.pass(1500 * time.Millisecond)
		states = append(states, b.compute.state(blueName))
		b.answers.Store(podTwo, true)
		b.pass(time.Minute)
		states = append(states, b.compute.state(blueName), b.count())
		want := "HEALTHY Unknown Unknown Unknown UNHEALTHY HEALTHY 1/2"
		if got := strings.Join(states, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestWhatIsInUseIsNotDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		b.serve(backendService{}, podOne)
		ctx, c := t.Context(), b.compute
		if err := c.deleteBackend(ctx, blueName); err == nil || ignoreExpected(err) != nil {
			t.Errorf("a backend service in a URL map: %v", err)
		}
		if err := c.deleteHealthCheck(ctx, blueName); err == nil || ignoreExpected(err) != nil {
			t.Errorf("a health check of a backend service: %v", err)
		}
		if err := c.deleteNEG(ctx, blueNEG); err == nil || !strings.Contains(err.Error(), "already being used") {
			t.Errorf("a NEG of a backend service: %v", err)
		}
		if err := c.putURLMap(ctx, urlMap{name: "bad", fallback: "nobody"}); err == nil {
			t.Error("a URL map with a backend service that does not exist was accepted")
		}
		b.config.DeleteUsedNEGs = true
		b.do(c.deleteNEG(ctx, blueNEG))
		if w := b.ask(0); w.Code != http.StatusBadGateway {
			t.Errorf("with its NEG gone the answer is %d", w.Code)
		}
		b.do(c.deleteURLMap(ctx, "shop"))
		b.do(c.deleteBackend(ctx, blueName))
		b.do(c.deleteHealthCheck(ctx, blueName))
		for name, err := range map[string]error{
			"health check": c.deleteHealthCheck(ctx, blueName), "backend service": c.deleteBackend(ctx, blueName), "NEG": c.deleteNEG(ctx, blueNEG),
			"attach": c.attach(ctx, blueNEG, nil), "detach": c.detach(ctx, blueNEG, nil),
		} {
			if err == nil || ignoreExpected(err) != nil || !strings.Contains(err.Error(), "404") {
				t.Errorf("%s that does not exist: %v", name, err)
			}
		}
	})
}

func TestFrontEndsAdoptAURLMapOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{FirstAdoption: 2 * time.Second, LastAdoption: 60 * time.Second}, hello)
		b.serve(backendService{}, podOne)
		b.do(b.compute.putURLMap(t.Context(), urlMap{name: "shop", fallback: systemBackend}))
		statuses := func() (all []int) {
			for i := range b.fleet.frontEnds {
				all = append(all, b.ask(i).Code)
			}
			return all
		}
		for _, c := range []struct {
			after time.Duration
			want  []int
		}{
			{time.Second, []int{200, 200, 200}},
			{2 * time.Second, []int{404, 200, 200}},
			{30 * time.Second, []int{404, 404, 200}},
			{30 * time.Second, []int{404, 404, 404}},
		} {
			b.pass(c.after)
			if got := statuses(); !slices.Equal(got, c.want) {
				t.Errorf("%v later the answers are %v, want %v", c.after, got, c.want)
			}
		}
	})
}

func TestLaggingFrontEndStillSendsToADeletedBackendService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{LastAdoption: time.Minute}, hello)
		b.serve(backendService{}, podOne)
		b.do(b.compute.putURLMap(t.Context(), urlMap{name: "shop", fallback: systemBackend}))
		b.do(b.compute.deleteBackend(t.Context(), blueName))
		b.pass(50 * time.Second)
		if first, last := b.ask(0).Code, b.ask(2).Code; first != 404 || last != 200 {
			t.Errorf("the first front end answers %d, the last %d", first, last)
		}
	})
}

func TestFrontEndNeverGoesBackToAnOlderConfiguration(t *testing.T) {
	b := newFleet(&Config{FrontEnds: 1, Log: slog.Default()})
	fe := b.frontEnds[0]
	fe.adopt(&view{serial: 2})
	fe.adopt(&view{serial: 1})
	if got := fe.adopted.Load().serial; got != 2 {
		t.Errorf("it uses %d", got)
	}
}

func TestLoadBalancersOwnAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		check := func(what string, want int) {
			t.Helper()
			if got := b.ask(0).Code; got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		ctx := t.Context()
		check("no Ingress", http.StatusNotFound)
		b.do(b.compute.putURLMap(ctx, urlMap{name: "shop", fallback: systemBackend}))
		if w := b.ask(0); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "default backend - 404") {
			t.Errorf("no rule: %d %s", w.Code, w.Body)
		}
		b.do(b.compute.putBackend(ctx, backendService{name: blueName, timeout: time.Minute}))
		b.do(b.compute.putURLMap(ctx, urlMap{name: "shop", fallback: blueName}))
		check("no NEG linked", http.StatusServiceUnavailable)
		b.serve(backendService{})
		check("an empty NEG", http.StatusBadGateway)
		b.do(b.compute.attach(ctx, blueNEG, []endpoint{podOne}))
		b.pass(time.Minute)
		check("no endpoint healthy", http.StatusBadGateway)
		b.answers.Store(podOne, true)
		b.pass(time.Minute)
		check("the endpoint breaks the connection", http.StatusBadGateway)
	})
}

// slowly answers after 20 s.
var slowly = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gochecknoglobals // a value
	if sleep(r.Context(), 20*time.Second) == nil {
		fmt.Fprint(w, "late")
	}
})

func TestDetachBreaksOffRequestsUnlessDrainingIsSet(t *testing.T) {
	for _, c := range []struct {
		draining, timeout time.Duration
		want              int
	}{
		{0, 0, http.StatusBadGateway},
		{10 * time.Second, 0, http.StatusBadGateway},
		{30 * time.Second, 0, http.StatusOK},
		{30 * time.Second, 15 * time.Second, http.StatusBadGateway}, // the backend service's timeout
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Delays{Detach: time.Second}, slowly)
			b.serve(backendService{draining: c.draining, timeout: c.timeout}, podOne)
			answer := make(chan *httptest.ResponseRecorder)
			go func() { answer <- b.ask(0) }()
			b.pass(5 * time.Second)
			b.do(b.compute.detach(t.Context(), blueNEG, []endpoint{podOne}))
			if got := b.ask(0).Code; got != http.StatusBadGateway {
				t.Errorf("a new request after the detach: %d", got)
			}
			if got := (<-answer).Code; got != c.want {
				t.Errorf("draining %v, timeout %v: the request in flight got %d, want %d", c.draining, c.timeout, got, c.want)
			}
		})
	}
}

func TestSpeedLeavesApplicationsTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthCheckStart: 100 * time.Second}, slowly)
		b.config.Speed = 100
		b.serve(backendService{}, podOne)
		before := b.asked.Load()
		if got := b.ask(0).Code; got != http.StatusOK {
			t.Errorf("a request of 20 s got %d", got)
		}
		if checks := b.asked.Load() - before; checks < 100 {
			t.Errorf("the endpoint was checked %d times in 20 s", checks)
		}
	})
}

func TestSwitchOfTheURLMapDrainsNothingAndBreaksNothingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, slowly)
		b.serve(backendService{}, podOne)
		answer := make(chan *httptest.ResponseRecorder)
		go func() { answer <- b.ask(0) }()
		b.pass(5 * time.Second)
		b.do(b.compute.putURLMap(t.Context(), urlMap{name: "shop", fallback: systemBackend}))
		if got := (<-answer).Code; got != http.StatusOK {
			t.Errorf("the request in flight got %d", got)
		}
	})
}

func TestConnectionsToEndpointsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		dialed := 0
		fe := b.fleet.frontEnds[0]
		dial := fe.transport.DialContext
		fe.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed++
			return dial(ctx, network, address)
		}
		b.serve(backendService{}, podOne)
		for range 5 {
			if w := b.ask(0); w.Code != http.StatusOK || w.Header().Get("Via") != "1.1 google" {
				t.Fatalf("got %d, via %q", w.Code, w.Header().Get("Via"))
			}
		}
		if dialed != 1 {
			t.Errorf("5 requests took %d connections", dialed)
		}
	})
}

// newTestSyncer is a syncer of blue's NEG whose Service has these endpoints.
func (b *bench) newTestSyncer(target func() endpointSet, running *sync.WaitGroup, events *[]string) *syncer {
	var mu sync.Mutex
	return &syncer{
		config: b.config, compute: b.compute, service: types.NamespacedName{Namespace: "shop", Name: "blue"},
		port: negPort{number: 80, neg: blueName}, needInit: true, running: running, wakes: make(chan struct{}, 1),
		zones: func() []string { return []string{zone} },
		endpoints: func() (map[string]endpointSet, map[endpoint]types.NamespacedName, bool) {
			return map[string]endpointSet{zone: target()}, nil, true
		},
		commit: func(context.Context, negKey, map[endpoint]types.NamespacedName) {},
		event: func(_, reason, _ string) {
			mu.Lock()
			defer mu.Unlock()
			*events = append(*events, reason)
		},
		report: func(context.Context, svcNegStatus) error { return nil },
	}
}

// inNEG lists the addresses in blue's NEG.
func (b *bench) inNEG() string {
	listed, err := b.compute.listEndpoints(blueNEG)
	if err != nil {
		return "none"
	}
	var all []string
	for _, e := range listed {
		all = append(all, e.ip)
	}
	return strings.Join(all, " ")
}

func TestStoppedSyncerLeavesTheNEGAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{Operation: time.Second, Attach: 5 * time.Second, Detach: time.Second}, hello)
		var mu sync.Mutex
		target, events := endpointSet{podOne: true}, []string{}
		change := func(to endpointSet) { mu.Lock(); defer mu.Unlock(); target = to }
		var running sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		s := b.newTestSyncer(func() endpointSet { mu.Lock(); defer mu.Unlock(); return target }, &running, &events)
		s.start(ctx)
		b.pass(10 * time.Second)
		change(endpointSet{podTwo: true})
		s.wake()
		b.pass(2 * time.Second)
		if got := b.inNEG(); got != "" {
			t.Errorf("the detach, begun with the attach, is done before it: the NEG has %q, want none", got)
		}
		s.stop() // what was begun goes on
		b.pass(10 * time.Second)
		if got := b.inNEG(); got != "10.0.0.2" {
			t.Errorf("after the stop the NEG has %q", got)
		}
		change(endpointSet{podOne: true})
		s.wake()
		b.pass(time.Hour)
		if got := b.inNEG(); got != "10.0.0.2" {
			t.Errorf("an hour after the stop the NEG has %q", got)
		}
		s.start(ctx)
		b.pass(10 * time.Second)
		if got := b.inNEG(); got != "10.0.0.1" {
			t.Errorf("started again, the NEG has %q", got)
		}
		stop()
		running.Wait()
		if got := strings.Join(events, " "); got != "Create Attach Detach Attach Detach Attach" {
			t.Errorf("the events are %s", got)
		}
	})
}

func TestSyncerMakesAMissingNEGAgainAfterItsBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		var running sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		var events []string
		s := b.newTestSyncer(func() endpointSet { return endpointSet{podOne: true} }, &running, &events)
		s.start(ctx)
		b.pass(time.Second)
		b.do(b.compute.deleteNEG(ctx, blueNEG))
		s.wake()
		b.pass(4 * time.Second)
		if got := b.inNEG(); got != "none" {
			t.Errorf("before the back-off of 5 s the NEG has %q", got)
		}
		b.pass(2 * time.Second)
		if got := b.inNEG(); got != "10.0.0.1" {
			t.Errorf("after it the NEG has %q", got)
		}
		stop()
		running.Wait()
		if got := strings.Join(events, " "); got != "Create Attach SyncNetworkEndpointGroupFailed Create Attach" {
			t.Errorf("the events are %s", got)
		}
	})
}
