package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Without the project there are no requests, and with it they go to the configured address.
func TestURLMapsAreReadOfTheProjectThatIsNamed(t *testing.T) {
	t.Parallel()
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.WriteHeader(http.StatusNotImplemented)
	}))
	t.Cleanup(srv.Close)
	with := func(environment map[string]string) (*serveConfig, error) {
		var c serveConfig
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		c.bind(flags)
		return &c, fromEnvironment(flags, func(name string) string { return environment[name] })
	}
	c, err := with(nil)
	check(t, err)
	if maps, err := c.urlMaps(t.Context()); maps != nil || err != nil {
		t.Errorf("without a project: %v, %v", maps, err)
	}
	c, err = with(map[string]string{"TURNOUT_LOAD_BALANCER_PROJECT": "acme-prod", "TURNOUT_COMPUTE_ENDPOINT": srv.URL + "/compute/v1/"})
	check(t, err)
	maps, err := c.urlMaps(t.Context())
	check(t, err)
	if _, err := maps.Get(t.Context(), "europe-west1", "um"); err == nil || len(asked) != 1 ||
		asked[0] != "/compute/v1/projects/acme-prod/regions/europe-west1/urlMaps/um" {
		t.Errorf("asked for %q, error %v", asked, err)
	}
	c, err = with(map[string]string{"TURNOUT_LOAD_BALANCER_PROJECT": "https://acme"})
	check(t, err)
	if _, err := c.urlMaps(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "--load-balancer-project (TURNOUT_LOAD_BALANCER_PROJECT)") {
		t.Errorf("a wrong project: %v", err)
	}
}
