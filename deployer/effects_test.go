package deployer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// spoiling is when an effect goes wrong.
type spoiling string

const (
	before spoiling = "not performed"
	after  spoiling = "performed, reply lost"
)

// effects counts the writes that deployers make and spoils one of them.
type effects struct {
	// nth write is spoiled, from 1; 0 spoils none.
	nth  int
	when spoiling
	// match, if it is set, chooses the write in place of nth: the first that it
	// holds for, by what it writes and its body.
	match func(what, body string) bool
	// crash makes everything fail from then on, as for a process that ended.
	crash bool
	// only writes of this kind count, such as PATCH; "" is every one.
	only string
	// spoiled is closed when the effect was spoiled.
	spoiled chan struct{}

	mu   sync.Mutex
	dead bool
	seen []string
}

func newEffects(nth int, when spoiling, crash bool) *effects {
	return &effects{nth: nth, when: when, crash: crash, spoiled: make(chan struct{})}
}

// config is a connection whose writes are counted.
func (e *effects) config(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) { return e.roundTrip(next, req) })
	})
	return cfg
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

var errSpoiled = errors.New("connection reset by the test")

func (e *effects) roundTrip(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	spoil, err := e.count(req)
	if err != nil {
		return nil, err
	}
	if !spoil {
		return next.RoundTrip(req)
	}
	defer close(e.spoiled)
	if e.when == before {
		return nil, errSpoiled
	}
	resp, err := next.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return nil, errSpoiled
}

// count notes a write and reports whether it is the one to spoil.
func (e *effects) count(req *http.Request) (spoil bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead {
		return false, errSpoiled
	}
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, req.Method) {
		return false, nil
	}
	if !strings.HasPrefix(describe(req), e.only) {
		return false, nil
	}
	e.seen = append(e.seen, describe(req))
	if e.match != nil && e.nth == 0 && e.match(describe(req), bodyOf(req)) {
		e.nth = len(e.seen)
	}
	if len(e.seen) != e.nth {
		return false, nil
	}
	e.dead = e.crash
	return true, nil
}

// bodyOf reads what a request carries and leaves it there.
func bodyOf(req *http.Request) string {
	if req.GetBody == nil {
		return ""
	}
	body, err := req.GetBody()
	if err != nil {
		return ""
	}
	defer func() { _ = body.Close() }()
	text, _ := io.ReadAll(body)
	return string(text)
}

// describe names what a request writes: PUT releases/x/status.
func describe(req *http.Request) string {
	path := req.URL.Path
	if _, rest, ok := strings.Cut(path, "/namespaces/"); ok {
		_, path, _ = strings.Cut(rest, "/")
	}
	return req.Method + " " + path
}

// all are the writes seen so far.
func (e *effects) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen)
}

// what names the spoiled write.
func (e *effects) what() string {
	all := e.all()
	if e.nth < 1 || e.nth > len(all) {
		return fmt.Sprintf("write %d was never made", e.nth)
	}
	return all[e.nth-1]
}
