package deployer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"google.golang.org/api/compute/v1"

	"github.com/turnout-dev/turnout/deployer/urlmap"
)

// computeAPI is the Compute API of the world's project. It knows only the URL map that the
// balancer made.
type computeAPI struct {
	url    string
	asked  atomic.Int32
	answer atomic.Int32 // an HTTP status instead of the map, if it is not 0
}

const links = "https://www.googleapis.com/compute/v1/projects/acme-prod/global/"

// compute starts the API.
func (b *balancer) compute() *computeAPI {
	api := &computeAPI{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /compute/v1/projects/acme-prod/global/urlMaps/"+urlMapName, func(w http.ResponseWriter, _ *http.Request) {
		api.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if code := int(api.answer.Load()); code != 0 {
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"error": {"code": %d, "message": "it is %d"}}`, code, code)
			return
		}
		check(b.w.t, json.NewEncoder(w).Encode(b.urlMap()))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b.w.t.Errorf("the Compute API got %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotImplemented)
	})
	srv := httptest.NewServer(mux)
	b.w.t.Cleanup(srv.Close)
	api.url = srv.URL + "/compute/v1/"
	return api
}

// urlMap is what ingress-gce makes of the routes that it last took up.
func (b *balancer) urlMap() *compute.UrlMap {
	b.mu.Lock()
	defer b.mu.Unlock()
	service := func(name string) string { return links + "backendServices/" + name }
	m := &compute.UrlMap{Name: urlMapName, SelfLink: links + "urlMaps/" + urlMapName, DefaultService: service("k8s1-default-http-backend")}
	for i, rule := range b.routes {
		host, matcher := rule.Host, &compute.PathMatcher{Name: fmt.Sprint("host", i), DefaultService: m.DefaultService}
		if host == "" {
			host = "*"
		}
		m.HostRules = append(m.HostRules, &compute.HostRule{Hosts: []string{host}, PathMatcher: matcher.Name})
		for _, p := range rule.HTTP.Paths {
			path := strings.TrimSuffix(p.Path, "/") + "/*"
			matcher.PathRules = append(matcher.PathRules,
				&compute.PathRule{Paths: []string{path}, Service: service("k8s1-" + p.Backend.Service.Name)})
		}
		m.PathMatchers = append(m.PathMatchers, matcher)
	}
	return m
}

// reads makes the deployer read the URL map.
func (a *computeAPI) reads(b *balancer) func(*Deployer) {
	return func(d *Deployer) {
		var err error
		d.URLMaps, err = urlmap.New(b.w.t.Context(), urlmap.Config{Project: "acme-prod", Endpoint: a.url})
		check(b.w.t, err)
	}
}
