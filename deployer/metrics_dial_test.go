package deployer

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// nameServer is a DNS server. For a name and a type it has an address for each question in
// turn; the last one stays.
type nameServer struct {
	mu  sync.Mutex
	are map[string][]string
}

// serveNames makes this process ask for names here while the test runs, which must not
// be parallel to others.
func serveNames(t *testing.T, are map[string][]string) {
	t.Helper()
	n := &nameServer{are: are}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.answer(t, server)
		return client, nil
	}}
	t.Cleanup(func() { net.DefaultResolver = before })
}

// answer answers the questions of one connection, as DNS does over TCP.
func (n *nameServer) answer(t *testing.T, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return // the asker is done
		}
		packed := make([]byte, size)
		var m dnsmessage.Message
		if _, err := io.ReadFull(conn, packed); err != nil || m.Unpack(packed) != nil || len(m.Questions) != 1 {
			t.Errorf("an invalid query: %v", err)
			return
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		m.Answers = n.resources(m.Questions[0])
		packed, err := m.AppendPack(make([]byte, 2))
		if err != nil {
			t.Errorf("packing an answer: %v", err)
			return
		}
		binary.BigEndian.PutUint16(packed, uint16(len(packed)-2))
		if _, err := conn.Write(packed); err != nil {
			return
		}
	}
}

func (n *nameServer) resources(q dnsmessage.Question) []dnsmessage.Resource {
	key := strings.TrimSuffix(q.Name.String(), ".") + " " + strings.TrimPrefix(q.Type.String(), "Type")
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.are[key]
	if len(all) == 0 {
		return nil
	}
	if len(all) > 1 {
		n.are[key] = all[1:]
	}
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	a := netip.MustParseAddr(all[0])
	if q.Type == dnsmessage.TypeA {
		return []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: a.As4()}}}
	}
	return []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
}

// counted is a server that answers every query with 1, at an address of this machine.
type counted struct {
	*httptest.Server
	asked atomic.Int32
	port  string
}

func serveCounted(t *testing.T, address string, answer http.HandlerFunc) *counted {
	t.Helper()
	c := &counted{Server: httptest.NewUnstartedServer(nil)}
	c.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		if answer != nil {
			answer(w, r)
			return
		}
		_, _ = fmt.Fprint(w, `{"status":"success","data":{"resultType":"scalar","result":[1800000000,"1"]}}`)
	})
	check(t, c.Listener.Close())
	var err error
	c.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	check(t, err)
	_, c.port, err = net.SplitHostPort(c.Listener.Addr().String())
	check(t, err)
	c.Start()
	t.Cleanup(c.Close)
	return c
}

// asking asks for a metric as an application does that is granted the address.
func (w *world) asking(m metricsAccess, address, secret string) error {
	w.t.Helper()
	w.annotate(map[string]string{v1alpha1.MetricsAnnotation: address})
	bg := w.application()
	bg.Spec.Analysis = &v1alpha1.AnalysisSpec{Prometheus: &v1alpha1.PrometheusSpec{URL: address, AuthSecret: secret}}
	m.reader = w.kube
	c, err := m.client(w.t.Context(), bg)
	check(w.t, err)
	_, err = c.Query(w.t.Context(), "up", time.Now(), time.Minute)
	return err
}

const notPublic = "is not a public address"

// A grant names a host. What nobody but this machine or its cloud answers at is refused,
// whatever the host is called.
func TestMetricsAreNotAskedForOfThisMachineNorOfItsCloud(t *testing.T) { //nolint:paralleltest // it changes how names are resolved
	serveNames(t, map[string][]string{
		"loopback.example.com A": {"127.0.0.1"}, "this.example.com A": {"0.0.0.0"}, "metadata.google.internal A": {"169.254.169.254"},
		"link.example.com A": {"169.254.1.1"}, "azure.example.com A": {"168.63.129.16"}, "six.example.com AAAA": {"::1"},
		"mapped.example.com AAAA": {"::ffff:127.0.0.1"}, "nat64.example.com AAAA": {"64:ff9b::7f00:1"},
		"metadata6.example.com AAAA": {"fd00:ec2::254"}, "mapped-metadata.example.com AAAA": {"::ffff:169.254.169.254"},
		"nat64-metadata.example.com AAAA": {"64:ff9b::a9fe:a9fe"},
	})
	w := newWorld(t)
	s := serveCounted(t, "127.0.0.1:0", nil)
	for host := range strings.FieldsSeq("127.0.0.1 localhost LOCALHOST. shop.localhost [::1] [::ffff:127.0.0.1] 0.0.0.0 [::] " +
		"169.254.169.254 loopback.example.com this.example.com metadata.google.internal link.example.com azure.example.com six.example.com " +
		"mapped.example.com nat64.example.com metadata6.example.com mapped-metadata.example.com nat64-metadata.example.com") {
		if err := w.asking(metricsAccess{}, "http://"+host+":"+s.port, ""); err == nil || !strings.Contains(err.Error(), notPublic) {
			t.Errorf("%s: %v, want it refused", host, err)
		}
	}
	if n := s.asked.Load(); n > 0 {
		t.Errorf("this machine got %d requests", n)
	}
}

// Whoever has the name of a granted host can let it lead elsewhere each time that it is
// asked for: what is connected to is judged, not what the name was before.
func TestMetricsOfANameThatChangesAreNotAskedForElsewhere(t *testing.T) { //nolint:paralleltest // it changes how names are resolved
	serveNames(t, map[string][]string{
		"later.example.com A": {"127.0.0.1", "127.0.0.2"},
		// One who looks first and connects then would see the good one first.
		"turns.example.com A": {"127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"},
	})
	w := newWorld(t)
	granted := serveCounted(t, "127.0.0.1:0", nil)
	elsewhere := serveCounted(t, "127.0.0.2:"+granted.port, nil)
	m := metricsAccess{allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	for _, tt := range []struct {
		host  string
		wants string // of the questions: whether each is answered
	}{{"later.example.com", "yes no no"}, {"turns.example.com", "yes no yes no yes no"}} {
		for i, want := range strings.Fields(tt.wants) {
			err := w.asking(m, "http://"+tt.host+":"+granted.port, "")
			if want == "yes" && err != nil || want == "no" && (err == nil || !strings.Contains(err.Error(), notPublic)) {
				t.Errorf("query %d of %s: %v, want answered: %s", i+1, tt.host, err, want)
			}
		}
	}
	if got := granted.asked.Load(); got != 4 {
		t.Errorf("the granted address got %d requests, want 4", got)
	}
	if got := elsewhere.asked.Load(); got != 0 {
		t.Errorf("the other address got %d requests", got)
	}
}

// What the Secret says is for the granted server: neither a redirect nor a proxy that
// the process's environment names gets it.
func TestMetricsSecretIsForNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(&corev1.Secret{ObjectMeta: w.meta("prometheus"), Data: map[string][]byte{"token": []byte("abc")}})
	m := metricsAccess{allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	elsewhere := serveCounted(t, "127.0.0.2:0", func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host got a request, with the authorization %q", r.Header.Get("Authorization"))
	})
	for _, code := range []int{301, 302, 303, 307, 308} {
		var got string
		s := serveCounted(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			http.Redirect(w, r, elsewhere.URL+"/api/v1/query", code)
		})
		if err := w.asking(m, s.URL, "prometheus"); err == nil || got != "Bearer abc" {
			t.Errorf("%d: the error is %v, and the granted server got %q", code, err, got)
		}
	}
	if p := m.transport().(*http.Transport).Proxy; p != nil {
		t.Error("requests may use the proxy of the environment")
	}
	proxy := serveCounted(t, "127.0.0.1:0", nil)
	m.proxy, m.allow = &url.URL{Scheme: "http", Host: proxy.Listener.Addr().String()}, nil
	if err := w.asking(m, "http://prometheus.example.com", ""); err != nil || proxy.asked.Load() != 1 {
		t.Errorf("through the operator's proxy: %v, after %d queries", err, proxy.asked.Load())
	}
}

// An answer is one number: neither its header nor its body is read beyond a bound.
func TestMetricsAnswerIsNotReadForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := metricsAccess{allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	s := serveCounted(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-More", strings.Repeat("x", 1<<20))
		_, _ = fmt.Fprint(w, `{"status":"success","data":{"resultType":"scalar","result":[1800000000,"1"]}}`)
	})
	if err := w.asking(m, s.URL, ""); err == nil || !strings.Contains(err.Error(), "header") {
		t.Errorf("a header of 1 MiB: %v", err)
	}
}
