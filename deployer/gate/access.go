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

// Access is a way to reach pods. Commands always run through the API server. It is safe for
// concurrent use; create one with [Straight] or [ThroughAPIServer].
type Access struct {
	client *http.Client
	proxy  *url.URL // of the API server; nil: requests go straight to the pod
	config *rest.Config
	core   corev1client.CoreV1Interface
}

// Straight sends requests to the pods' own addresses, from within the cluster. The
// configuration is the API server's, for commands; its Dial, if set, also connects to
// pods.
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
		DisableKeepAlives: true,                                  // every attempt is a new connection, like a user's
	}
	a.client = &http.Client{Transport: transport, CheckRedirect: stay}
	return a, nil
}

// ThroughAPIServer sends requests through the API server's pod proxy. That works from
// anywhere, and before a pod is Ready. It needs the right to get pods/proxy. An API
// server behind a firewall may not reach every port (a private GKE cluster opens only
// 443 and 10250): in that case, run in the cluster.
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

// forCommands is what both ways need to run commands.
func forCommands(config *rest.Config) (Access, error) {
	config = rest.CopyConfig(config)
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return Access{}, fmt.Errorf("make a client for the API server: %w", err)
	}
	return Access{config: config, core: core}, nil
}

// stay is a redirect policy: a redirect counts as the answer.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// request builds the HTTP request of a check.
func (a Access) request(ctx context.Context, r request, pod track.Pod) (*http.Request, error) {
	if ip, err := netip.ParseAddr(pod.IP); a.proxy == nil && (err != nil || !publicnet.OfPod(ip)) {
		return nil, fmt.Errorf("pod %s claims the address %s, which cannot be a pod's: no request is sent", pod.Name, clip(pod.IP))
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
			return nil, fmt.Errorf("header %s of %s cannot be sent through the API server, which would act on it itself: run Turnout in the "+
				"cluster, or leave the header out", name, r)
		}
		q.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			q.Host = value
		}
	}
	return q, nil
}

// ownHeader reports whether the API server itself acts on a request header. Through such a
// header, an application's owner could speak to the API server in our name.
func ownHeader(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Host", "Authorization", "Connection", "Upgrade", "Proxy-Authorization", "Transfer-Encoding", "Content-Length":
		return true
	}
	return strings.HasPrefix(name, "Impersonate-") || strings.HasPrefix(name, "X-Remote-") || strings.HasPrefix(name, "X-Forwarded-")
}

// traced returns a context that records whether a request was sent in full. If so, the other side
// had its chance to answer.
func traced(ctx context.Context) (context.Context, *atomic.Bool) {
	sent := new(atomic.Bool)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { sent.Store(info.Err == nil) },
	}), sent
}

// pingTimeout bounds the check whether the API server is there.
const pingTimeout = 2 * time.Second

// wayTo checks, after a pod's silence, whether the way to the pod is open. Straight to the pod,
// nothing else is involved. Through the API server, that server may be silent, or a firewall may
// be between the two. In the latter case even the readiness probe gets no answer on this way,
// although the kubelet gets one, since the pod is Ready.
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
		return fmt.Errorf("the API server gets no answer from pod %s on port %d, although the kubelet's readiness probe does: "+
			"if a firewall is between them, open the port, or run Turnout in the cluster", pod.Name, probe.Port)
	}
	return nil
}

// ping sends a minimal request to the API server.
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
