package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kind is what goes wrong.
type Kind string

// The kinds. Of the last two only Kubernetes' API knows.
const (
	Unavailable   Kind = "500"            // nothing done
	Limited       Kind = "limit"          // 429, to be tried again after a second; nothing done
	Timeout       Kind = "timeout"        // no answer until the client gives up; nothing done
	ReplyLost     Kind = "reply lost"     // done; the connection breaks before the answer
	Slow          Kind = "slow"           // done; the answer comes a second late
	WatchClosed   Kind = "watch closed"   // every watch ends at once
	EventsDropped Kind = "events dropped" // lists of events are empty
)

// late is how much later a slow answer comes.
const late = time.Second

// Proxy stands before an HTTP API and passes requests on.
type Proxy struct {
	// URL to use in place of the API's own.
	URL string

	server *http.Server
	to     http.RoundTripper

	mu      sync.Mutex
	rng     *rand.Rand
	kind    Kind
	until   time.Time
	share   float64
	queued  []Kind // of the next requests, one each
	watches map[int]context.CancelFunc
	next    int
	hits    map[Kind]int
	writes  int
}

// NewProxy starts one before the API at a URL. seed decides which requests fail.
func NewProxy(api string, to http.RoundTripper, seed uint64) (*Proxy, error) {
	target, err := url.Parse(api)
	if err != nil {
		return nil, fmt.Errorf("reading the address of an API: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening before %s: %w", api, err)
	}
	own := *target
	own.Scheme, own.Host = "http", l.Addr().String()
	p := &Proxy{
		URL: own.String(), to: to, rng: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // G404: to be run again
		watches: map[int]context.CancelFunc{}, hits: map[Kind]int{},
	}
	base := url.URL{Scheme: target.Scheme, Host: target.Host}
	p.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{
		Transport: p, FlushInterval: -1, // watches
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&base) },
		// Without an answer there is none to pass on.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

// Kubeconfig leads to it, without any credentials: it has its own.
func (p *Proxy) Kubeconfig() ([]byte, error) {
	file := clientcmdapi.NewConfig()
	file.Clusters["faulty"] = &clientcmdapi.Cluster{Server: p.URL}
	file.AuthInfos["user"] = &clientcmdapi.AuthInfo{}
	file.Contexts["faulty"] = &clientcmdapi.Context{Cluster: "faulty", AuthInfo: "user"}
	file.CurrentContext = "faulty"
	text, err := clientcmd.Write(*file)
	if err != nil {
		return nil, fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return text, nil
}

// Close ends it, and all requests.
func (p *Proxy) Close() error { return p.server.Close() }

// Fail makes a share of the requests fail for a time, or every watch end now.
func (p *Proxy) Fail(kind Kind, d time.Duration, share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind == WatchClosed {
		p.hits[kind] += len(p.watches)
		for _, end := range p.watches {
			end()
		}
		return
	}
	p.kind, p.until, p.share = kind, time.Now().Add(d), share
}

// FailNext makes the next requests that a kind can befall fail, as many as times, whenever they come. It
// suits requests that come seldom.
func (p *Proxy) FailNext(kind Kind, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queued = append(p.queued, slices.Repeat([]Kind{kind}, times)...)
}

// Waiting is how many of them have met no request yet.
func (p *Proxy) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queued)
}

// Hits counts the requests that failed, or the watches that ended, by kind.
func (p *Proxy) Hits() map[Kind]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hits)
}

// Writes counts the requests that changed something, whether or not their answers arrived. Those
// for leases count for nothing: they only say who leads.
func (p *Proxy) Writes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes
}

// take returns the fault of a request, if it has one.
func (p *Proxy) take(r *http.Request) Kind {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.queued, func(kind Kind) bool { return kind.befalls(r) }); i >= 0 {
		kind := p.queued[i]
		p.queued = slices.Delete(p.queued, i, i+1)
		p.hits[kind]++
		return kind
	}
	if time.Now().After(p.until) || p.rng.Float64() >= p.share || !p.kind.befalls(r) {
		return ""
	}
	p.hits[p.kind]++
	return p.kind
}

// befalls reports whether a kind can make a request fail.
func (k Kind) befalls(r *http.Request) bool {
	return k != EventsDropped || r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/events")
}

// RoundTrip implements [http.RoundTripper].
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") != "" {
		return p.watch(r)
	}
	switch kind := p.take(r); kind {
	case Unavailable:
		return Refusal(r), nil
	case Limited:
		return refusal(r, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests), nil
	case Timeout:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case ReplyLost:
		if answer, err := p.pass(r); err == nil {
			_ = answer.Body.Close()
		}
		return nil, io.ErrUnexpectedEOF
	case Slow:
		answer, err := p.pass(r)
		select {
		case <-time.After(late):
		case <-r.Context().Done():
		}
		return answer, err
	case EventsDropped:
		return emptyList(p.pass(withJSON(r)))
	default:
		return p.pass(r)
	}
}

// pass passes a request on.
func (p *Proxy) pass(r *http.Request) (*http.Response, error) {
	answer, err := p.to.RoundTrip(r)
	if err == nil && answer.StatusCode < http.StatusMultipleChoices && r.Method != http.MethodGet &&
		!strings.Contains(r.URL.Path, "/leases") && !strings.Contains(r.URL.Path, "/apis/authorization.k8s.io/") {
		p.mu.Lock()
		p.writes++
		p.mu.Unlock()
	}
	return answer, err //nolint:wrapcheck // the API's answer
}

// watch passes one on that can be ended.
func (p *Proxy) watch(r *http.Request) (*http.Response, error) {
	ctx, end := context.WithCancel(r.Context())
	p.mu.Lock()
	p.next++
	id := p.next
	p.watches[id] = end
	p.mu.Unlock()
	forget := func() {
		end()
		p.mu.Lock()
		delete(p.watches, id)
		p.mu.Unlock()
	}
	answer, err := p.to.RoundTrip(r.WithContext(ctx))
	if err != nil {
		forget()
		return nil, err //nolint:wrapcheck // the API's answer
	}
	answer.Body = &watched{ReadCloser: answer.Body, forget: forget}
	return answer, nil
}

// watched is the body of a watch.
type watched struct {
	io.ReadCloser
	forget func()
}

// Close implements [io.Closer].
func (w *watched) Close() error {
	w.forget()
	return w.ReadCloser.Close()
}

// Refusal is the answer of an API server that is in trouble: a 500, nothing done.
func Refusal(r *http.Request) *http.Response {
	return refusal(r, http.StatusInternalServerError, metav1.StatusReasonInternalError)
}

// refusal is an answer as Kubernetes writes it. Of Google's APIs the status alone is read.
func refusal(r *http.Request, code int32, reason metav1.StatusReason) *http.Response {
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: code, Reason: reason, Message: "injected fault",
	}
	text, _ := json.Marshal(status) //nolint:errchkjson // of strings and numbers
	answer := &http.Response{
		StatusCode: int(code), Status: strconv.Itoa(int(code)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)),
	}
	if code == http.StatusTooManyRequests {
		answer.Header.Set("Retry-After", "1")
	}
	return answer
}

// withJSON asks for an answer that can be read here.
func withJSON(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	r.Header.Del("Accept-Encoding")
	return r
}

// emptyList is a list without what is on it.
func emptyList(answer *http.Response, err error) (*http.Response, error) {
	if err != nil || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	defer answer.Body.Close()
	var list map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading a list of events: %w", err)
	}
	list["items"] = []any{}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("writing a list of events: %w", err)
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	answer.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return answer, nil
}
