package gate

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/internal/publicnet"

	"github.com/turnout-dev/turnout/deployer/track"
)

// Access is a way to reach pods. Commands always run through the API server. It
// may be used by several goroutines; make one with [Straight] or
// [ThroughAPIServer].
type Access struct {
	client *http.Client
	proxy  *url.URL // of the API server; nil: straight to the pod
	config *rest.Config
	core   corev1client.CoreV1Interface
}

// Straight makes requests at pods' own addresses, from within the cluster; the
// configuration is the API server's, for commands. Its Dial, if there is one,
// connects to pods, too.
func Straight(config *rest.Config) (Access, error) {
	a, err := forCommands(config)
	if err != nil {
		return Access{}, err
	}
	transport := &http.Transport{
		DialContext: config.Dial,
		// A pod's certificate has no name to verify; the kubelet's probes do not
		// verify it either.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DisableKeepAlives: true,                                  // every try is a connection that a user would make
	}
	a.client = &http.Client{Transport: transport, CheckRedirect: stay}
	return a, nil
}

// ThroughAPIServer makes requests by the API server's pod proxy, which works from
// anywhere, and before a pod is Ready. It needs the right to get pods/proxy. An
// API server behind a firewall may not reach every port (a private GKE cluster
// opens 443 and 10250 only): run in the cluster then.
func ThroughAPIServer(config *rest.Config) (Access, error) {
	a, err := forCommands(config)
	if err != nil {
		return Access{}, err
	}
	if a.client, err = rest.HTTPClientFor(a.config); err != nil {
		return Access{}, fmt.Errorf("make a client for the API server: %w", err)
	}
	a.client.CheckRedirect = stay
	a.client.Timeout = 0 // each try has its own
	if a.proxy, _, err = rest.DefaultServerUrlFor(a.config); err != nil {
		return Access{}, fmt.Errorf("read the API server's address: %w", err)
	}
	return a, nil
}

// forCommands is the part of both ways that runs commands.
func forCommands(config *rest.Config) (Access, error) {
	config = rest.CopyConfig(config)
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return Access{}, fmt.Errorf("make a client for the API server: %w", err)
	}
	return Access{config: config, core: core}, nil
}

// stay is a redirect policy: an answer that points elsewhere is the answer.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// request makes the HTTP request of a check.
func (a Access) request(ctx context.Context, r request, pod track.Pod) (*http.Request, error) {
	if ip, err := netip.ParseAddr(pod.IP); a.proxy == nil && (err != nil || !publicnet.OfPod(ip)) {
		return nil, fmt.Errorf("pod %s claims the address %s, which is no pod's: it is not asked", pod.Name, clip(pod.IP))
	}
	address := strings.ToLower(r.Scheme) + "://" + net.JoinHostPort(pod.IP, strconv.Itoa(int(r.Port))) + r.Path
	if a.proxy != nil {
		name := fmt.Sprintf("%s:%d", pod.Name, r.Port)
		if r.Scheme == "HTTPS" {
			name = "https:" + name
		}
		address = strings.TrimSuffix(a.proxy.String(), "/") +
			fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/proxy%s", pod.Namespace, name, r.Path)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make the request %s: %w", r, err)
	}
	q.Header.Set("User-Agent", "turnout-gate")
	for name, value := range r.Headers {
		if a.proxy != nil && ownHeader(name) {
			return nil, fmt.Errorf("header %s of %s cannot be sent through the API server, which would take it as its own: run Turnout in the "+
				"cluster, or leave the header out", name, r)
		}
		q.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			q.Host = value
		}
	}
	return q, nil
}

// ownHeader reports whether the API server itself acts on a request header, so
// that an application's owner could speak to it in our name.
func ownHeader(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Host", "Authorization", "Connection", "Upgrade", "Proxy-Authorization", "Transfer-Encoding", "Content-Length":
		return true
	}
	return strings.HasPrefix(name, "Impersonate-") || strings.HasPrefix(name, "X-Remote-") || strings.HasPrefix(name, "X-Forwarded-")
}

// traced returns a context that records whether a request was sent in full: if
// it was, whoever was asked had their chance.
func traced(ctx context.Context) (context.Context, *atomic.Bool) {
	sent := new(atomic.Bool)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { sent.Store(info.Err == nil) },
	}), sent
}

// pingTimeout bounds the question whether the API server is there.
const pingTimeout = 2 * time.Second

// wayTo tells, after a pod's silence, whether it was the pod's. Straight to the
// pod nobody else is involved. Through the API server it may be the API server's
// own, or that of a firewall between the two: then not even the readiness probe
// gets an answer on this way, while the pod is Ready because the kubelet gets
// one.
func (a Access) wayTo(ctx context.Context, pod track.Pod, probe *request, timeout time.Duration) error {
	if a.proxy == nil {
		return nil
	}
	if err := a.ping(ctx); err != nil {
		return err
	}
	if probe == nil || !pod.Ready {
		return nil // nothing to compare with
	}
	if o := a.try(ctx, *probe, pod, timeout); o.silent {
		return fmt.Errorf("the API server gets no answer from pod %s on port %d, though its readiness probe does: "+
			"if a firewall is between them, open the port, or run Turnout in the cluster", pod.Name, probe.Port)
	}
	return nil
}

// ping asks the API server anything at all.
func (a Access) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.proxy.String(), "/")+"/version", http.NoBody)
	if err != nil {
		return fmt.Errorf("make a request to the API server: %w", err)
	}
	answer, err := a.client.Do(q)
	if err != nil {
		return fmt.Errorf("the API server does not answer: %w", err)
	}
	answer.Body.Close() //nolint:gosec // any answer is an answer
	return nil
}
