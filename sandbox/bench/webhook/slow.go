package webhook

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/turnout-dev/turnout/sandbox/netns"
)

// slowServer stands before the API server, and passes requests on as one user.
type slowServer struct {
	*http.Server
	slow *slowTransport
	url  string
}

// slowTransport makes each request take as many times its own time. Then it sends as many at once
// as this machine has processors: a server that is ten times slower does a tenth of the work.
type slowTransport struct {
	to    http.RoundTripper
	times atomic.Int64 // 1: nothing is slower
	slots chan struct{}

	mu    sync.Mutex
	kinds map[string]int // of requests
}

// counted are the requests so far, by verb and resource. Watches do not count.
func (s *slowTransport) counted() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.kinds)
}

func (s *slowTransport) count(r *http.Request) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if i := slices.Index(path, "namespaces"); i >= 0 && len(path) > i+2 {
		path = path[i+2:]
	}
	kind := r.Method + " " + path[0]
	if len(path) > 2 {
		kind += "/" + path[2]
	}
	if r.Method == http.MethodGet && len(path) == 1 {
		kind = "LIST " + path[0]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds[kind]++
}

// processors are how many requests are answered at once.
const processors = 2

// RoundTrip implements [http.RoundTripper].
func (s *slowTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") != "" { // a watch lasts anyhow
		return s.to.RoundTrip(r) //nolint:wrapcheck // the API server's answer
	}
	s.count(r)
	times := s.times.Load()
	if times == 1 {
		return s.to.RoundTrip(r) //nolint:wrapcheck // the API server's answer
	}
	select {
	case s.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	defer func() { <-s.slots }()
	began := time.Now()
	answer, err := s.to.RoundTrip(r)
	select {
	case <-time.After(time.Duration(times-1) * time.Since(began)):
	case <-r.Context().Done():
	}
	return answer, err //nolint:wrapcheck // the API server's answer
}

// newSlowServer starts one that is as fast as the API server.
func newSlowServer(config *rest.Config) (*slowServer, error) {
	to, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's address: %w", err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return nil, fmt.Errorf("listening before the API server: %w", err)
	}
	slow := &slowTransport{to: transport, slots: make(chan struct{}, processors), kinds: map[string]int{}}
	slow.times.Store(1)
	s := &slowServer{slow: slow, url: "http://" + l.Addr().String(), Server: &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: &httputil.ReverseProxy{
			Transport: slow, FlushInterval: -1, // watches
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
			// Whoever gives up a request is told so by its own side.
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		},
	}}
	go func() { _ = s.Serve(l) }()
	return s, nil
}

// kubeconfig leads to it.
func (s *slowServer) kubeconfig() ([]byte, error) {
	file := clientcmdapi.NewConfig()
	file.Clusters["slow"] = &clientcmdapi.Cluster{Server: s.url}
	file.AuthInfos["user"] = &clientcmdapi.AuthInfo{}
	file.Contexts["slow"] = &clientcmdapi.Context{Cluster: "slow", AuthInfo: "user"}
	file.CurrentContext = "slow"
	return clientcmd.Write(*file)
}
