package windows

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// endpoints counts a colour's endpoints in each zone's NEG.
func (s *shop) endpoints(c v1alpha1.Color) map[string]int {
	s.Helper()
	groups, err := s.router.Groups(s.Context(), s.bg, s.routes(), c)
	s.check(err)
	counts := map[string]int{}
	for _, g := range groups {
		for _, zone := range zones() {
			url := running.ComputeURL + "projects/" + running.Project + "/zones/" + zone + "/networkEndpointGroups/" + g.Name +
				"/listNetworkEndpoints"
			request, err := http.NewRequestWithContext(s.Context(), http.MethodPost, url, strings.NewReader("{}"))
			s.check(err)
			response, err := http.DefaultClient.Do(request)
			s.check(err)
			var list struct {
				Items []any `json:"items"`
			}
			s.check(json.NewDecoder(response.Body).Decode(&list))
			s.check(response.Body.Close())
			counts[zone] += len(list.Items)
		}
	}
	return counts
}

// Pods run in two zones here, so each colour has two NEGs.
func TestTwoZones(t *testing.T) {
	t.Parallel()
	s := newShop(t, replicas)
	s.attach()
	s.warm()
	for _, c := range []v1alpha1.Color{blue, green} {
		for zone, n := range s.endpoints(c) {
			if n != replicas/len(zones()) {
				t.Errorf("%s has %d endpoints in %s", c, n, zone)
			}
		}
		if got := len(s.endpoints(c)); got != len(zones()) {
			t.Errorf("%s is in %d zones", c, got)
		}
	}
	s.switchTo(green)
	s.moved(green)
	s.switchTo(blue)
	s.moved(blue)
	s.losesNothing()
}
