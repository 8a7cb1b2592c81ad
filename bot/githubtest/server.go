package githubtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Config says where and how a Server serves. Its zero value is good for tests.
type Config struct {
	// Listener to serve on. Default: the loopback address, any port.
	Listener net.Listener
	// URL is the address for clients, without a final slash. Default: http:// and the
	// listener's address.
	URL string
	// Dir has the git repositories, as owner/name.git. It replaces those of an earlier
	// server; their pull requests and deployments are gone. Default: a temporary directory
	// that Close removes.
	Dir string
	// Enterprise serves the API under /api/v3, like GitHub Enterprise Server, and not at
	// the root.
	Enterprise bool
	// RateLimit is the number of requests per hour for an installation or App. Default
	// 5000, like GitHub.
	RateLimit int
	// Pushes takes `git push` over HTTP from whoever may write, with any password. Default: a push is
	// an unknown route.
	Pushes bool
	// Markdown makes HTML of a comment or a description for the web pages; it must be safe. Default:
	// the pages show Markdown as it was written.
	Markdown func(text string) template.HTML
	// Log receives what a test's author should see: unknown routes, violations, failed
	// deliveries. Default: nothing.
	Log *slog.Logger
}

// Server is a GitHub: users, repositories and Apps. All methods may be called concurrently.
type Server struct {
	cfg      Config
	url      string
	log      *slog.Logger
	http     *http.Server
	api      []endpoint
	web      *http.ServeMux
	tempDir  string // removed by Close, if not empty
	stopped  chan struct{}
	stopOnce sync.Once
	sending  sync.WaitGroup // deliveries in progress

	mu          sync.Mutex // guards everything below, and everything reachable from it
	changed     chan struct{}
	lastID      int64
	keys        int                    // number of keys given to Apps
	users       map[string]*User       // by login in lower case
	repos       map[string]*Repository // by owner/name in lower case
	renamed     map[string]*Repository // by a former name that no other repository has taken
	apps        []*App
	grants      map[string]*grant     // by token
	downloads   map[string]download   // by one-time token
	conversions map[string]conversion // by code
	quotas      map[string]*quota     // by caller
	faults      []*Fault
	failed      map[FaultKind]int
	outage      bool

	limitedUntil time.Time // every request is refused until then
	limitStatus  int

	requests   []Request
	violations []Violation
}

// NewServer starts an empty GitHub. Close it after use.
func NewServer(cfg Config) (*Server, error) {
	s := &Server{
		cfg: cfg, log: cfg.Log, stopped: make(chan struct{}), changed: make(chan struct{}), lastID: 1000,
		users: map[string]*User{}, repos: map[string]*Repository{}, renamed: map[string]*Repository{}, grants: map[string]*grant{},
		downloads: map[string]download{}, conversions: map[string]conversion{}, quotas: map[string]*quota{}, failed: map[FaultKind]int{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.cfg.RateLimit == 0 {
		s.cfg.RateLimit = 5000
	}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("starting the GitHub stand-in: %w", err)
	}
	go func() {
		if err := s.http.Serve(s.cfg.Listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the GitHub stand-in stopped serving", "error", err)
		}
	}()
	return s, nil
}

// prepare makes the directory, the listener and the routes.
func (s *Server) prepare() error {
	api, err := apiRoutes()
	if err != nil {
		return err
	}
	s.api, s.web = api, s.webRoutes()
	if s.cfg.Dir == "" {
		if s.tempDir, err = os.MkdirTemp("", "githubtest-"); err != nil {
			return err
		}
		s.cfg.Dir = s.tempDir
	}
	if s.cfg.Listener == nil {
		if s.cfg.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	s.url = strings.TrimSuffix(s.cfg.URL, "/")
	if s.url == "" {
		s.url = "http://" + s.cfg.Listener.Addr().String()
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	return nil
}

// Close ends running deliveries and requests, and removes a temporary directory.
func (s *Server) Close() error {
	s.stopOnce.Do(func() {
		s.mu.Lock() // no delivery starts after this, so that Wait below sees all
		defer s.mu.Unlock()
		close(s.stopped)
	})
	err := s.http.Close()
	s.sending.Wait()
	if s.tempDir != "" {
		err = errors.Join(err, os.RemoveAll(s.tempDir))
	}
	return err
}

// URL is the address of the web pages. Clients of an Enterprise server are configured with
// it.
func (s *Server) URL() string { return s.url }

// APIURL is the address of the REST API, without a final slash, which ghinstallation calls
// BaseURL.
func (s *Server) APIURL() string {
	if s.cfg.Enterprise {
		return s.url + "/api/v3"
	}
	return s.url
}

// ServeHTTP serves the REST API, the web pages and the sandbox's forms.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	prefix := strings.TrimPrefix(s.APIURL(), s.url)
	if path, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix); ok {
		if e, params, ok := s.find(r.Method, s.byNumber(path)); ok {
			s.serveRoute(w, r, e, params)
			return
		}
	}
	if _, pattern := s.web.Handler(r); pattern != "" {
		s.web.ServeHTTP(w, r)
		return
	}
	s.unknownRoute(w, r)
}

// unknownRoute answers unknown requests loudly: a client that sends one has outgrown the
// stand-in.
func (s *Server) unknownRoute(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violate(Violation{Kind: UnknownRoute, Method: r.Method, Path: r.URL.Path, Reason: "the GitHub stand-in has no such route"})
	s.record(Request{Method: r.Method, Route: r.URL.Path, Path: r.URL.Path, Status: http.StatusNotImplemented, At: time.Now()})
	http.Error(w, "the GitHub stand-in has no "+r.Method+" "+r.URL.Path, http.StatusNotImplemented)
}

// closed reports whether Close was called.
func (s *Server) closed() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// nextID returns a number larger than any before. The caller holds s.mu.
func (s *Server) nextID() int64 {
	s.lastID++
	return s.lastID
}

// notify wakes everybody who waits for a change. The caller holds s.mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait returns when check returns true; it calls check again after every change. A test
// uses it to await what the program under test does on GitHub. The error is ctx's.
func (s *Server) Wait(ctx context.Context, check func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if check() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for a change at the GitHub stand-in: %w", ctx.Err())
		}
	}
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	random := make([]byte, n)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	return hex.EncodeToString(random)
}

// now is the time as GitHub writes it: whole seconds, UTC.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
