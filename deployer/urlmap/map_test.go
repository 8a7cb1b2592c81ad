package urlmap

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/api/compute/v1"
)

// fromController is a URL map as ingress-gce makes it (pkg/translator/translator.go,
// ToCompositeURLMap) and the Compute API returns it.
const fromController = `{
 "kind": "compute#urlMap", "id": "4711", "creationTimestamp": "2026-01-02T03:04:05.000-08:00", "name": "k8s2-um-1",
 "fingerprint": "bCtFP9BDxWs=",
 "selfLink": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/urlMaps/k8s2-um-1",
 "defaultService": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-default",
 "hostRules": [
  {"hosts": ["*"], "pathMatcher": "host1"},
  {"hosts": ["standby.app.invalid"], "pathMatcher": "host2"},
  {"hosts": ["other.example.com"], "pathMatcher": "host3"}],
 "pathMatchers": [
  {"name": "host1", "defaultService": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-default",
   "pathRules": [
    {"paths": ["/*"], "service": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-green"},
    {"paths": ["/admin", "/admin/*"],
      "service": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-green-9000"}]},
  {"name": "host2", "defaultService": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-default",
   "pathRules": [{"paths": ["/*"],
     "service": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-blue"}]},
  {"name": "host3", "defaultService": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-default",
   "pathRules": [{"paths": ["/*"],
     "service": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-other"}]}]}`

func parse(t *testing.T, text string) (Map, error) {
	t.Helper()
	var m compute.UrlMap
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return fromAPI(&m)
}

func TestURLMapSaysWhereUsersAreLed(t *testing.T) {
	t.Parallel()
	toGreen := Question{
		StandbyHost: "standby.app.invalid", To: []string{"k8s1-green", "k8s1-green-9000"},
		From: []string{"k8s1-blue", "k8s1-blue-9000"},
	}
	tests := []struct {
		name   string
		change []string
		ask    func(*Question)
		there  bool
		old    string
	}{
		{"to the one, and the standby host to the other", nil, nil, true, ""},
		{"to the other", nil, func(q *Question) { q.To, q.From = q.From, q.To }, false, "*/* to k8s1-green"},
		{"by one path to the other", []string{"k8s1-green-9000", "k8s1-blue-9000"}, nil, false, "*/admin to k8s1-blue-9000"},
		{"by a regional backend service", []string{"global/backendServices", "regions/europe-west1/backendServices"}, nil, true, ""},
		{"by default of the map to the other", []string{`k8s1-default",
 "hostRules"`, `k8s1-blue",
 "hostRules"`}, nil, false, "every other host to k8s1-blue"},
		{
			"by default of a host to the other",
			[]string{
				`"host1", "defaultService": "https://www.googleapis.com/compute/v1/projects/acme-prod/global/backendServices/k8s1-default"`,
				`"host1", "defaultService": "p/backendServices/k8s1-blue"`,
			},
			nil, false, "* to k8s1-blue",
		},
		{
			"by another standby host to the other", nil, func(q *Question) { q.StandbyHost = "new.app.invalid" }, false,
			"standby.app.invalid/* to k8s1-blue",
		},
		{
			"under a host beside the standby host",
			[]string{`["standby.app.invalid"]`, `["standby.app.invalid", "shop.example.com"]`},
			nil, false,
			"standby.app.invalid,shop.example.com/* to k8s1-blue",
		},
		{"to neither", []string{"k8s1-green", "k8s1-x"}, nil, false, ""},
		{"to a bucket of the same name", []string{"backendServices/k8s1-green", "backendBuckets/k8s1-green"}, nil, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := toGreen
			if tt.ask != nil {
				tt.ask(&q)
			}
			m, err := parse(t, strings.NewReplacer(tt.change...).Replace(fromController))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Says(q); got.There != tt.there || got.Old != tt.old {
				t.Errorf("it says %+v, want %v %q", got, tt.there, tt.old)
			}
		})
	}
}

// A map that Google's controller would not create shows nothing, wherever it leads.
func TestURLMapThatDoesMoreIsNotUnderstood(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"weights": {
			`"paths": ["/*"], "service"`,
			`"paths": ["/*"], "routeAction": {"weightedBackendServices": [{"backendService": "p/backendServices/k8s1-blue", "weight": 1}]}, "x"`,
		},
		"a redirect":       {`"paths": ["/*"], "service"`, `"paths": ["/*"], "urlRedirect": {"httpsRedirect": true}, "x"`},
		"route rules":      {`"name": "host1",`, `"name": "host1", "routeRules": [{"priority": 1}],`},
		"a default action": {`"fingerprint"`, `"defaultUrlRedirect": {"httpsRedirect": true}, "fingerprint"`},
		"a lost matcher":   {`"name": "host1"`, `"name": "host9"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if m, err := parse(t, strings.NewReplacer(change...).Replace(fromController)); err == nil ||
				!strings.Contains(err.Error(), "not understood") {
				t.Errorf("the map is read as %+v, %v", m, err)
			}
		})
	}
}

func FuzzURLMap(f *testing.F) {
	f.Add(fromController)
	f.Add(`{"hostRules": [null], "pathMatchers": [null]}`)
	f.Add(`{"hostRules": [{"pathMatcher": "a"}], "pathMatchers": [null, {"name": "a", "pathRules": [null, {"paths": ["/"]}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var from compute.UrlMap
		if json.Unmarshal([]byte(text), &from) != nil {
			return
		}
		m, err := fromAPI(&from)
		if a := m.Says(Question{To: []string{"a"}, From: []string{"b"}}); err != nil && (a.There || a.Old != "") {
			t.Errorf("an unknown map gives %+v", a)
		}
	})
}
