package proof

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// pipes is a network whose connections are in memory, so that a synctest bubble can wait for
// them.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.accepted <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: errors.New("connection refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// shop is a public address in a bubble.
type shop struct {
	*pipes
	server   *http.Server
	conns    atomic.Int32
	requests atomic.Int32
	answer   atomic.Pointer[http.HandlerFunc]
}

func open(t *testing.T, answer http.HandlerFunc) *shop {
	s := &shop{pipes: &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}}
	s.answer.Store(&answer)
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			s.requests.Add(1)
			(*s.answer.Load())(rw, r)
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.conns.Add(1)
			}
		},
	}
	go func() { _ = s.server.Serve(s) }()
	t.Cleanup(func() { _ = s.server.Close() })
	return s
}

func (s *shop) config() Config {
	c := ConfigFor("http://shop.example.com/", v1alpha1.ProofSpec{Path: "/health", Method: "GET", VersionHeader: "App-Version", Rate: 20})
	c.Dial, c.UserAgent = s.dial, UserAgent("v1.2.3")
	return c
}

func version(v string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("App-Version", v) }
}

func fails(status int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) }
}

func TestProberMeasuresASwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		s := open(t, func(rw http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.Path+" "+r.UserAgent())
			version("v1")(rw, r)
		})
		p := NewProber(t.Context(), s.config())
		defer p.Stop()
		p.TakeBaseline(30 * time.Second)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := s.requests.Load(); n != 600 || p.Asking() {
			t.Errorf("%d requests in a baseline of 30 s at 20 a second; asking: %v", n, p.Asking())
		}
		if n := s.conns.Load(); n != 301 {
			t.Errorf("%d connections, want a new one for every other request and a kept one for the rest", n)
		}
		if want := "GET /health turnout-proof/v1.2.3 (+https://github.com/turnout-dev/turnout)"; asked[0] != want {
			t.Errorf("asked %q, want %q", asked[0], want)
		}
		if !p.Settled() {
			t.Error("requests go on long after the baseline was full")
		}
		time.Sleep(time.Hour) // waits for a person
		if n := s.requests.Load(); n != 600 {
			t.Errorf("%d requests after the baseline was full", n-600)
		}
		p.Switch(time.Now())
		time.Sleep(1990 * time.Millisecond)
		v2 := version("v2")
		s.answer.Store(&v2)
		time.Sleep(10 * time.Second)
		r := p.Read()
		st := r.As(r.Result())
		if st.Result != v1alpha1.ProofConfirmed || st.Requests != 840 || st.NewVersion != "v2" ||
			st.NewVersionAfter.Duration != 2*time.Second || st.OldVersionUntil.Duration != 1950*time.Millisecond {
			t.Errorf("the proof is %+v: %s", st, st.Message)
		}
	})
}

func TestProberWakesForTheNewVersionAndForItsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, version("v1"))
		c := s.config()
		var woken atomic.Int32
		c.Wake = func() { woken.Add(1) }
		p := NewProber(t.Context(), c)
		defer p.Stop()
		p.TakeBaseline(time.Second)
		time.Sleep(2 * time.Second)
		p.Switch(time.Now())
		time.Sleep(time.Second)
		if n := woken.Load(); n != 0 {
			t.Errorf("woken %d times without a reason", n)
		}
		v2, down := version("v2"), fails(503)
		for i, answer := range []*http.HandlerFunc{&v2, &down} {
			s.answer.Store(answer)
			time.Sleep(3*time.Second/20 + time.Millisecond)
			synctest.Wait()
			if n := int(woken.Load()); n != i+1 {
				t.Errorf("woken %d times after three answers of change %d", n, i+1)
			}
			time.Sleep(5 * time.Second)
			if n := int(woken.Load()); n != i+1 {
				t.Errorf("woken again: %d times", n)
			}
		}
		if got := p.Read().Breach; !strings.Contains(got, "GET http://shop.example.com/health answered 503 Service Unavailable") {
			t.Errorf("the breach is %q", got)
		}
	})
}

// Hanging requests are bounded in time and number, and count as failures.
func TestProberBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int32
		s := open(t, func(_ http.ResponseWriter, r *http.Request) {
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			<-r.Context().Done()
		})
		p := NewProber(t.Context(), s.config())
		p.Switch(time.Now())
		time.Sleep(time.Minute)
		p.Stop()
		synctest.Wait()
		// A request that timed out may still occupy the server.
		if n := most.Load(); n < 20 || n > 21 {
			t.Errorf("%d requests at the same time, want 20", n)
		}
		r := p.Read()
		if s := r.Status; s.Unseen != 0 || s.NewFailures < 12*20-40 || r.Result() != v1alpha1.ProofFailed ||
			!strings.Contains(r.Breach, "no answer within 5 s") {
			t.Errorf("%d answered, %d unseen, %d new failures, %s: %s", s.Requests, s.Unseen, s.NewFailures, r.Result(), r.Breach)
		}
		if n := under.Load(); n != 0 {
			t.Errorf("%d requests are left after the prober ended", n)
		}
	})
}

// The bubble checks that nothing is left running: it fails if a goroutine is left.
func TestAStoppedProberLeavesNothingRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		p := NewProber(ctx, s.config())
		p.Switch(time.Now())
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		if p.Asking() {
			t.Error("the prober goes on after its context ended")
		}
		p.Stop()
		p.Switch(time.Now())
		p.TakeBaseline(time.Second)
		time.Sleep(time.Second)
		if s := p.Read().Status; s.Requests+s.Unseen != 0 {
			t.Errorf("interrupted requests are counted: %+v", s)
		}
	})
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	broken := func(head string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(rw).Hijack()
			_, _ = io.WriteString(conn, head)
			_ = conn.Close()
		}
	}
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		want    Kind
		failure string
	}{
		{"200", fails(200), Served, ""},
		{"404", fails(404), Served, ""},
		{"500", fails(500), Failed, "500"},
		{"502", fails(502), Failed, "502"},
		{"moved", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Location", "/elsewhere")
			rw.WriteHeader(http.StatusFound)
		}, Unseen, ""},
		{"to log in", fails(401), Unseen, ""},
		{"forbidden", fails(403), Unseen, ""},
		{"to slow down", fails(429), Unseen, ""},
		{"no answer", broken(""), Failed, BrokenConnection},
		{"half an answer", broken("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), Failed, BrokenConnection},
		{"not HTTP", broken("SSH-2.0-OpenSSH_9.9\r\n"), Failed, BrokenConnection},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				c.answer(rw, r)
			}))
			defer s.Close()
			for _, keep := range []bool{false, true} {
				asked.Store(0)
				d := newAddress(Config{Method: "GET", URL: s.URL})
				a := d.ask(t.Context(), keep)
				d.close()
				if a.Kind != c.want || a.Failure != c.failure || a.Text == "" {
					t.Errorf("kept %v: %s %q, %s; want %s %q", keep, a.Kind, a.Failure, a.Text, c.want, c.failure)
				}
				if n := asked.Load(); n != 1 {
					t.Errorf("kept %v: asked %d times", keep, n)
				}
			}
		})
	}
}

// If a request hangs after it was sent, the application hangs. If it cannot be sent, our own
// network may be at fault.
func TestHangingIsJudgedByWhatHangs(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	half := func(rw http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	}
	noDial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	deaf := func(context.Context, string, string) (net.Conn, error) { // nothing is read
		ours, _ := net.Pipe()
		return ours, nil
	}
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		dial    func(context.Context, string, string) (net.Conn, error)
		url     string
		cancel  bool
		want    Kind
		failure string
		text    string
	}{
		{name: "no answer", answer: hang, want: Failed, failure: NoAnswer, text: "no answer within 5 s"},
		{name: "half an answer", answer: half, want: Failed, failure: NoAnswer, text: "no answer within 5 s, but a part of one"},
		{name: "stopped by us", answer: hang, cancel: true, want: Unseen},
		{name: "stopped by us in an answer", answer: half, cancel: true, want: Unseen},
		{name: "no connection", dial: noDial, want: Unseen},
		{name: "nobody reads", dial: deaf, want: Failed, failure: NoAnswer, text: "no answer within 5 s"},
		{name: "no TLS", dial: deaf, url: "https://shop.example.com/", want: Unseen},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := Config{Method: "GET", URL: "http://shop.example.com/", Dial: c.dial}
				if c.url != "" {
					cfg.URL = c.url
				}
				served := atomic.Bool{}
				if c.dial == nil {
					s := open(t, func(rw http.ResponseWriter, r *http.Request) {
						if r.URL.Query().Has("warm") {
							return
						}
						served.Store(true)
						c.answer(rw, r)
					})
					cfg.Dial = s.dial
				}
				for _, keep := range []bool{false, true} {
					d := newAddress(cfg)
					if keep && c.dial == nil { // on a connection that was used
						d.url = cfg.URL + "?warm"
						if a := d.ask(t.Context(), true); a.Kind != Served {
							t.Fatalf("the first request: %s: %s", a.Kind, a.Text)
						}
						d.url = cfg.URL
					}
					ctx, cancel := context.WithCancel(t.Context())
					if c.cancel {
						time.AfterFunc(time.Second, cancel)
					}
					a := d.ask(ctx, keep)
					cancel()
					d.close()
					if a.Kind != c.want || a.Failure != c.failure || !strings.Contains(a.Text, c.text) || a.Text == "" {
						t.Errorf("kept %v: %s %q, %s; want %s %q", keep, a.Kind, a.Failure, a.Text, c.want, c.failure)
					}
					if c.dial == nil && !served.Load() {
						t.Error("the address got no request")
					}
				}
			})
		})
	}
}

// Tests may send requests to loopback.
var loopback = publicnet.Dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})

func TestAMissingConnectionMayBeOurOwnTrouble(t *testing.T) {
	t.Parallel()
	trusted := httptest.NewTLSServer(fails(200)) // by nobody
	defer trusted.Close()
	gone := httptest.NewServer(fails(200))
	gone.Close()
	refused := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "shop.example.com", IsNotFound: true}
	}
	for name, c := range map[string]Config{
		"refused":     {URL: gone.URL, Dial: loopback},
		"no name":     {URL: "http://shop.example.com", Dial: refused},
		"not trusted": {URL: trusted.URL, Dial: loopback},
		"no URL":      {URL: "http://shop example com"},
	} {
		c.Method = "GET"
		d := newAddress(c)
		if a := d.ask(t.Context(), false); a.Kind != Unseen || a.Text == "" {
			t.Errorf("%s: %s: %s", name, a.Kind, a.Text)
		}
		d.close()
	}
}

// A server may close a kept connection while it is idle, even just as the next request is on its
// way. Users do not notice: browsers send the request again.
func TestAKeptConnectionClosedUnderARequestIsNotAFailure(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			type key struct{}
			var mu sync.Mutex
			seen := map[net.Conn]int{}
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				conn := r.Context().Value(key{}).(net.Conn)
				mu.Lock()
				seen[conn]++
				n := seen[conn]
				mu.Unlock()
				if r.Proto != protocol {
					t.Errorf("asked by %s", r.Proto)
				}
				if n > 1 {
					if c, ok := conn.(*tls.Conn); ok {
						conn = c.NetConn() // without the alert that would announce it
					}
					_ = conn.Close()
				}
				_, _ = fmt.Fprint(rw, n)
			}))
			s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) }
			s.Config.ErrorLog = nil
			d := newAddress(Config{Method: "GET"})
			defer d.close()
			if protocol == "HTTP/2.0" {
				s.EnableHTTP2 = true
				s.StartTLS()
				for _, client := range []*http.Client{d.kept, d.fresh} {
					client.Transport.(*http.Transport).TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
				}
			} else {
				s.Start()
			}
			defer s.Close()
			d.url = s.URL
			for i := range 4 {
				if a := d.ask(t.Context(), true); a.Kind != Served {
					t.Errorf("request %d: %s: %s", i+1, a.Kind, a.Text)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			reused := 0
			for _, n := range seen {
				if n > 1 {
					reused++
				}
			}
			if reused == 0 {
				t.Error("no kept connection was reused")
			}
		})
	}
}
