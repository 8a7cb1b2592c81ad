package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestLoadBalancerIsToldByItsClassOrItsURLMap(t *testing.T) {
	const gce, elsewhere = v1alpha1.LoadBalancerGCE, v1alpha1.LoadBalancerOther
	for _, tt := range []struct {
		class, urlMap string
		want          v1alpha1.LoadBalancer
		regional      bool
	}{
		{"gce", "", gce, false},
		{"gce-internal", "", gce, true},
		{"gce-regional-external", "", gce, true},
		{"", "", elsewhere, false},
		{"", "k8s2-um-a", gce, false},
		{"nginx", "", elsewhere, false},
		{"nginx", "k8s2-um-a", elsewhere, false}, // it was Google's
	} {
		ingress := parse(t, shared)
		ingress.SetAnnotations(map[string]string{
			classAnnotation: tt.class, urlMapAnnotation: tt.urlMap,
			v1alpha1.PokeAnnotation: "2026-01-01T12:00:00.5Z",
		})
		s := Read(application("app"), ingress)
		if !s.Exists || s.LoadBalancer != tt.want || s.Regional != tt.regional || s.URLMap != tt.urlMap {
			t.Errorf("class %q, URL map %q: it is %s, regional %v, with the URL map %q", tt.class, tt.urlMap, s.LoadBalancer, s.Regional, s.URLMap)
		}
		if !s.PokedAt.Equal(noon.Add(500 * time.Millisecond)) {
			t.Errorf("the Ingress was poked at %s", s.PokedAt)
		}
	}
}

// A backend is a place that names a Service; other places are kept, but are nobody's backend.
func TestBackendsAreThoseThatNameAService(t *testing.T) {
	s := Read(application("app"), parse(t, shared))
	count := func(bare bool) (named, unnamed int) {
		of := Backends(s)
		if bare {
			of = AllBackends(s)
		}
		for _, b := range of {
			if b.Service == "" {
				unnamed++
			} else {
				named++
			}
		}
		return named, unnamed
	}
	if named, unnamed := count(false); named != 6 || unnamed != 0 {
		t.Errorf("%d backends name a service, %d do not", named, unnamed)
	}
	if named, unnamed := count(true); named != 6 || unnamed != 1 {
		t.Errorf("%d of all backends name a service, %d do not", named, unnamed)
	}
	none := Read(application("app"), parse(t, header+"metadata: {name: i, uid: '1'}\nspec: {}"))
	if all := AllBackends(none); len(all) != 0 {
		t.Errorf("an Ingress without backends has %v", all)
	}
}

// An unreadable map is not read in part.
func TestBackendStatesThatCannotBeReadAreNone(t *testing.T) {
	for text, want := range map[string]map[string]string{
		`{"k8s1-a":"HEALTHY"}`: {"k8s1-a": "HEALTHY"}, `{"k8s1-a":"HEALTHY","k8s1-b":1}`: nil, "[": nil, "": nil,
	} {
		ingress := parse(t, shared)
		ingress.SetAnnotations(map[string]string{backendsAnnotation: text})
		if diff := cmp.Diff(want, backendStates(ingress)); diff != "" {
			t.Errorf("%s is read as (-want +got):\n%s", text, diff)
		}
	}
}
