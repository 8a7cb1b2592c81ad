package cutover

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-dev/turnout/sandbox/netns"
)

// front is the address of both replicas, as their Service is: requests go to those in turn that
// said they are ready when they were asked last.
type front struct {
	*http.Server
	url  string
	stop context.CancelFunc
	next atomic.Int64

	mu       sync.Mutex
	replicas []*url.URL
	ready    map[string]bool
}

// probeEvery is how often replicas are asked. A Service notices as late.
const probeEvery = time.Second

func newFront() (*front, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return nil, fmt.Errorf("listening before the replicas: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &front{url: "http://" + l.Addr().String(), stop: stop, ready: map[string]bool{}}
	f.Server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(f.pass)}
	go func() { _ = f.Serve(l) }()
	go f.probe(ctx)
	return f, nil
}

// Close ends it.
func (f *front) Close() error {
	f.stop()
	return f.Server.Close()
}

func (f *front) add(address string) {
	to, err := url.Parse(address)
	if err != nil {
		panic(err) // our own
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replicas = append(f.replicas, to)
	f.ready[to.Host] = true
}

func (f *front) pass(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	var up []*url.URL
	for _, to := range f.replicas {
		if f.ready[to.Host] {
			up = append(up, to)
		}
	}
	f.mu.Unlock()
	if len(up) == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	to := up[int(f.next.Add(1))%len(up)]
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(p *httputil.ProxyRequest) { p.SetURL(to); p.Out.Host = p.In.Host },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	proxy.ServeHTTP(w, r)
}

func (f *front) probe(ctx context.Context) {
	probes := &http.Client{Timeout: probeEvery}
	for ctx.Err() == nil {
		f.mu.Lock()
		replicas := f.replicas
		f.mu.Unlock()
		for _, to := range replicas {
			ready := false
			if r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String()+"/readyz", http.NoBody); err == nil {
				if answer, err := probes.Do(r); err == nil {
					ready = answer.StatusCode == http.StatusOK
					_ = answer.Body.Close()
				}
			}
			f.mu.Lock()
			f.ready[to.Host] = ready
			f.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}
