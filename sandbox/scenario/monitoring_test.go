package scenario

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"
)

// monitoringProject is the Google project whose metrics the stand-in has.
const monitoringProject = "acme-metrics"

// monitoringLag is how late Google's global load balancers' metrics are: they are sampled every
// 60 s, and then not visible for up to 210 s (docs.cloud.google.com/load-balancing/docs/metrics).
const monitoringLag = 270 * time.Second

// monitoring stands in for Cloud Monitoring's Prometheus API. It has what a real Prometheus
// has, once that is old enough.
type monitoring struct {
	server *httptest.Server

	mu     sync.Mutex
	source *httputil.ReverseProxy // nil: it has nothing
	early  int
}

// start returns its address.
func (m *monitoring) start() string {
	m.server = httptest.NewServer(m)
	return m.server.URL
}

func (m *monitoring) stop() { m.server.Close() }

// show makes it have what a Prometheus has, until the test ends.
func (m *monitoring) show(t *testing.T, address string) {
	t.Helper()
	source, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	m.set(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(source)
		r.Out.URL.Path = "/api/v1/query"
	}})
	t.Cleanup(func() { m.set(nil) })
}

func (m *monitoring) set(source *httputil.ReverseProxy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.source, m.early = source, 0
}

// askedEarly is how many queries were about a time whose metrics were not visible yet.
func (m *monitoring) askedEarly() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.early
}

func (m *monitoring) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.URL.Path != "/v1/projects/"+monitoringProject+"/location/global/prometheus/api/v1/query" || m.source == nil {
		http.Error(w, "no such project, or no such method: "+r.Method+" "+r.URL.Path, http.StatusNotImplemented)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // for the Prometheus
	form, err := url.ParseQuery(string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	at, err := strconv.ParseFloat(form.Get("time"), 64)
	if err != nil {
		http.Error(w, "no time: "+string(body), http.StatusBadRequest)
		return
	}
	if time.Since(time.UnixMilli(int64(at*1000))) < monitoringLag {
		m.early++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": []any{}}})
		return
	}
	m.source.ServeHTTP(w, r)
}
