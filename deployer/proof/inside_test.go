package proof

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// internal is a service that only this machine can reach; it counts its requests.
func internal(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	asked := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("X-Internal-Token", "s3cr3t")
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(s.Close)
	return s, asked
}

func TestAnInternalServiceIsNeitherAskedNorRevealed(t *testing.T) {
	t.Parallel()
	s, asked := internal(t)
	for _, address := range []string{
		s.URL, strings.Replace(s.URL, "127.0.0.1", "shop.localhost", 1),
		strings.Replace(s.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1),
	} {
		saw := make(chan Kind, 100)
		c := ConfigFor(address, v1alpha1.ProofSpec{Path: "/admin", Method: "GET", VersionHeader: "X-Internal-Token", Rate: 200})
		c.Answered = func(k Kind) {
			select {
			case saw <- k:
			default:
			}
		}
		p := NewProber(t.Context(), c)
		p.Switch(time.Now())
		for range 10 {
			if kind := <-saw; kind != Unseen {
				t.Errorf("%s: an answer is %s", address, kind)
			}
		}
		p.Stop()
		r := p.Read()
		status := r.As(r.Result())
		host := strings.TrimPrefix(address, "http://")
		host = strings.Trim(host[:strings.LastIndex(host, ":")], "[]")
		if status.Result != v1alpha1.ProofInconclusive || r.Breach != "" || !strings.Contains(status.Message, host+" is not a public address") ||
			!strings.Contains(status.Message, "--allow-addresses") {
			t.Errorf("the proof is %s, %q", status.Result, status.Message)
		}
		if strings.Contains(status.Message, "0 failed") || strings.Contains(status.Message, "dial tcp") || status.NewVersion != "" ||
			status.LastFailure != "" || status.Requests != 0 {
			t.Errorf("the proof is %+v", status)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the internal service got %d requests", n)
	}
}

func TestARedirectToAnInternalServiceIsNotFollowed(t *testing.T) {
	t.Parallel()
	s, asked := internal(t)
	public := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusFound))
	t.Cleanup(public.Close)
	d := newAddress(Config{URL: public.URL, Method: "GET", VersionHeader: "X-Internal-Token", Dial: loopback})
	defer d.close()
	if a := d.ask(t.Context(), false); a.Kind != Unseen || a.Version != "" {
		t.Errorf("the answer is %+v", a)
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the internal service got %d requests", n)
	}
}

// Not parallel: it changes the environment.
func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	proxy, asked := internal(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	d := newAddress(Config{
		URL: "http://shop.example.com", Method: "GET",
		Dial: publicnet.Dialer([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}),
	})
	defer d.close()
	for _, client := range []*http.Client{d.kept, d.fresh} {
		if client.Transport.(*http.Transport).Proxy != nil { //nolint:forcetypeassert // newAddress makes it
			t.Error("a request used a proxy that nobody configured")
		}
	}
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	named := newAddress(Config{URL: "http://shop.example.com", Method: "GET", Proxy: http.ProxyURL(proxyURL), Dial: loopback})
	defer named.close()
	if a := named.ask(t.Context(), false); a.Kind != Failed || asked.Load() != 1 {
		t.Errorf("through the configured proxy the answer is %+v", a)
	}
}

func TestTextsFromOutsideAreBoundedAndPlain(t *testing.T) {
	t.Parallel()
	tally := &Tally{}
	tally.Switch(time.Now())
	for i := range 100 {
		tally.Add(Answer{
			Kind: Failed, Failure: "500", Version: strings.Repeat("v", 300+i),
			Text: "a\x1b[31m\n::set-output::" + strings.Repeat("x", 10*maxText),
		})
	}
	s := tally.Read().As(v1alpha1.ProofFailed)
	if len(s.LastFailure) > 2*maxText || strings.ContainsAny(s.LastFailure, "\x1b\n") || len(s.NewVersion) > 300 {
		t.Errorf("the proof has the last failure %q and the version %q", s.LastFailure, s.NewVersion)
	}
	big := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("App-Version", strings.Repeat("v", 1<<20))
	}))
	t.Cleanup(big.Close)
	d := newAddress(Config{URL: big.URL, Method: "GET", VersionHeader: "App-Version", Dial: loopback})
	defer d.close()
	if a := d.ask(t.Context(), false); a.Version != "" {
		t.Errorf("a version of %d characters was read", len(a.Version))
	}
}
