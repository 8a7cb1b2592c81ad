package urlmap

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// api is a Compute API that knows only one URL map, globally and in a region.
func api(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	mux := http.NewServeMux()
	for _, where := range []string{"global", "regions/europe-west1"} {
		mux.HandleFunc("GET /compute/v1/projects/acme-prod/"+where+"/urlMaps/k8s2-um-1", func(w http.ResponseWriter, r *http.Request) {
			if token := r.Header.Get("Authorization"); token != "" {
				t.Errorf("credentials are sent without TLS: %s", token)
			}
			answer(w, r)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("unexpected %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotImplemented)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	c, err := New(t.Context(), Config{Project: "acme-prod", Endpoint: srv.URL + "/compute/v1/"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestURLMapIsReadGloballyAndInARegion(t *testing.T) {
	t.Parallel()
	for region, asked := range map[string]string{"": "/global/", "europe-west1": "/regions/europe-west1/"} {
		c := api(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, asked) {
				t.Errorf("asked for %s, want %s", r.URL.Path, asked)
			}
			_, _ = fmt.Fprint(w, fromController)
		})
		m, err := c.Get(t.Context(), region, "k8s2-um-1")
		if err != nil || !m.Says(Question{StandbyHost: "standby.app.invalid", To: []string{"k8s1-green"}, From: []string{"k8s1-blue"}}).There {
			t.Errorf("in region %q: %+v, %v", region, m, err)
		}
	}
}

func TestURLMapThatCannotBeHadSaysWhy(t *testing.T) {
	t.Parallel()
	refused := func(code int, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"error": {"code": %d, "message": %q, "errors": [{"message": %q, "domain": "global", "reason": "x"}]}}`, code,
				message, message)
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	tests := []struct {
		name   string
		answer http.HandlerFunc
		code   int
		want   string
	}{
		{
			"no right", refused(403, "Required 'compute.urlMaps.get' permission"), 403,
			"give Turnout's Google account compute.urlMaps.get in project acme-prod (403: Required",
		},
		{
			"no such map", refused(404, "The resource was not found"), 404,
			"there is no URL map k8s2-um-1 in project acme-prod: check that --load-balancer-project",
		},
		{"in trouble", refused(503, "try later"), 503, "answered 503 try later"},
		{
			"sent elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, 302,
			"answered 302",
		},
		{"no end", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"description": %q}`, strings.Repeat("x", maxAnswer))
		}, 0, "too large"},
		{"no map", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, 0, "could not be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := api(t, tt.answer).Get(t.Context(), "", "k8s2-um-1")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %+v and the error %v, want in it %q", m, err, tt.want)
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != tt.code {
				t.Errorf("the code is %+v, want %d", e, tt.code)
			}
		})
	}
}

// The name comes from an annotation that anybody with access to the Ingress may write.
func TestOnlyANameIsAskedFor(t *testing.T) {
	t.Parallel()
	c := api(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	for _, name := range []string{"", "a/b", "../zones", "A", "a?alt=media", strings.Repeat("a", 64)} {
		if m, err := c.Get(t.Context(), "", name); err == nil {
			t.Errorf("%q is asked for: %+v", name, m)
		}
		if m, err := c.Get(t.Context(), name+"-", "k8s2-um-1"); err == nil {
			t.Errorf("region %q is asked: %+v", name, m)
		}
	}
}

func TestMistakesInHowItIsReachedShowAtTheStart(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {Project: "acme/prod"}, {Project: "acme-prod", Endpoint: "compute"}} {
		if _, err := New(t.Context(), cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
