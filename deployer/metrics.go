package deployer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// metricsAccess is the access to applications' metrics.
type metricsAccess struct {
	// reader reads past the cache: grants, and Secrets, which are not watched.
	reader     client.Reader
	access     googleAccess
	routes     groupsReader
	allow      []netip.Prefix
	proxy      *url.URL
	monitoring string
}

// client connects to an application's metrics, if its namespace has the grant now.
func (m metricsAccess) client(ctx context.Context, bg *v1alpha1.BlueGreen) (*analysis.Client, error) {
	if bg.Spec.Analysis.Google != nil {
		return m.cloudMonitoring(ctx, bg)
	}
	granted, err := readGrants(ctx, m.reader, bg.Namespace)
	if err != nil {
		return nil, err
	}
	if missing := granted.Missing(*bg.MetricsGrant()); len(missing) > 0 {
		return nil, &notGranted{granted.Explain(bg.Namespace, missing)}
	}
	spec := bg.Spec.Analysis.Prometheus
	c := analysis.Config{URL: spec.URL, Transport: m.transport(), Lookback: true}
	if spec.AuthSecret != "" {
		header, err := m.authorization(ctx, bg.Namespace, spec.AuthSecret)
		if err != nil {
			return nil, err
		}
		c.Transport = authorized{c.Transport, header}
	}
	return analysis.New(c)
}

// cloudMonitoring connects to the metrics of a Google project.
func (m metricsAccess) cloudMonitoring(ctx context.Context, bg *v1alpha1.BlueGreen) (*analysis.Client, error) {
	signIn, err := m.access.googleTokens(ctx, bg.Namespace, *bg.MetricsGrant())
	if err != nil {
		return nil, err
	}
	c := analysis.Config{URL: analysis.GoogleURL(m.monitoring, bg.Spec.Analysis.Google.Project), Transport: m.transport()}
	if !strings.HasPrefix(m.monitoring, "http://") { // a stand-in gets no credentials
		tokens, err := signIn(ctx)
		if err != nil {
			return nil, err
		}
		c.Transport = &oauth2.Transport{Source: tokens, Base: c.Transport}
	}
	return analysis.New(c)
}

// maxAnswerHeader bounds the header of an answer, in bytes; the transport's own bound is 10 MiB.
const maxAnswerHeader = 64 << 10

// transport makes one connection per question: questions are rare.
func (m metricsAccess) transport() http.RoundTripper {
	t := &http.Transport{
		DialContext: publicnet.GrantedDialer(m.allow), DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswerHeader,
	}
	if m.proxy != nil { // its operator decides what it may reach
		t.Proxy, t.DialContext = http.ProxyURL(m.proxy), new(net.Dialer).DialContext
	}
	return t
}

// authorization reads the credentials in a Secret.
func (m metricsAccess) authorization(ctx context.Context, namespace, name string) (string, error) {
	var s corev1.Secret
	err := m.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &s)
	switch {
	case apierrors.IsForbidden(err):
		return "", fmt.Errorf("turnout may not read secret %s (spec.analysis.prometheus.authSecret): give it get on that secret, "+
			"by a Role in namespace %s", name, namespace)
	case err != nil:
		return "", fmt.Errorf("reading secret %s (spec.analysis.prometheus.authSecret): %w", name, err)
	}
	token, user := strings.TrimSpace(string(s.Data["token"])), string(s.Data["username"])
	switch {
	case token != "":
		return "Bearer " + token, nil
	case user != "":
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, string(s.Data["password"]))
		return r.Header.Get("Authorization"), nil
	}
	return "", fmt.Errorf("secret %s (spec.analysis.prometheus.authSecret) has no key token, nor username and password: add one", name)
}

// authorized adds the credentials to requests.
type authorized struct {
	http.RoundTripper
	header string
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", a.header)
	return a.RoundTripper.RoundTrip(r)
}
