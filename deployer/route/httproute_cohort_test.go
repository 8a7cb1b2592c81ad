package route

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// withCohort is the standby route of an application, with its testers' header.
func withCohort(t *testing.T, route *unstructured.Unstructured) (*v1alpha1.BlueGreen, *unstructured.Unstructured) {
	t.Helper()
	bg := onGateway("app")
	bg.UID = "uid-app"
	s := ReadHTTPRoute(bg, route, nil)
	u := newStandby(bg, s, v1alpha1.Green)
	u.Object["spec"] = standbySpec(bg, s, v1alpha1.Green, entrance{value: passwordOf(u), cohort: true})
	return bg, u
}

// The testers' header is one more header on each match of the application, and reaches the pods. It
// is another way to the same colour.
func TestStandbyRouteLeadsTesters(t *testing.T) {
	t.Parallel()
	route := parse(t, sharedRoute)
	bg, u := withCohort(t, route)
	s := ReadHTTPRoute(bg, route, u)
	if st := s.Gateway.Standby; st.For != v1alpha1.Green || !st.Cohort || st.NoCohort != "" {
		t.Errorf("it is read as %+v", st)
	}
	rules := list(fields(u.Object["spec"])["rules"])
	for i, r := range s.Gateway.Rules {
		rule := fields(rules[i])
		own := list(fields(list(s.Spec["rules"])[r.Index])["matches"])
		matches := list(rule["matches"])
		if len(matches) != 2*max(1, len(own)) {
			t.Fatalf("rule %d has %d matches for %d", i, len(matches), len(own))
		}
		for j, m := range matches[len(matches)/2:] {
			headers := list(fields(m)["headers"])
			last := fields(headers[len(headers)-1])
			if last["name"] != "X-Turnout-Cohort" || last["value"] != "canary" || last["type"] != "Exact" {
				t.Errorf("rule %d, match %d has the header %v", i, j, last)
			}
			if j < len(own) && len(headers) != len(list(fields(own[j])["headers"]))+1 {
				t.Errorf("rule %d, match %d has %d headers", i, j, len(headers))
			}
		}
		if text := jsonText(t, rule["filters"]); strings.Contains(text, "X-Turnout-Cohort") {
			t.Errorf("rule %d: the header does not reach the pods: %s", i, text)
		}
	}
	if keep := jsonText(t, rules[len(rules)-1]); strings.Contains(keep, "X-Turnout-Cohort") {
		t.Errorf("it leads to the live colour: %s", keep)
	}
	u.SetNamespace("shop")
	if !IsStandby(u) {
		t.Error("it is not a standby route")
	}
	if !leadsCohort(u, bg.Side(v1alpha1.Green).Service) || leadsCohort(u, bg.Side(v1alpha1.Blue).Service) {
		t.Error("who is led where is read wrongly")
	}
}

// What a route cannot have is said, and nothing is written.
func TestStandbyRouteThatCannotLeadTesters(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		matches []any
		want    string
	}{
		"one":                {matches: nil},
		"as many as fit":     {matches: paths(32)},
		"too many in a rule": {matches: paths(33), want: "too many matches"},
		"one that has it": {
			matches: []any{map[string]any{"headers": []any{map[string]any{"name": "x-turnout-cohort", "value": "mine"}}}},
			want:    "one of its matches has that header already",
		},
	} {
		bg := onGateway("app")
		bg.UID = "uid-app"
		route := newHTTPRoute("shop", "shop")
		rule := map[string]any{"backendRefs": []any{map[string]any{"name": bg.Side(v1alpha1.Blue).Service, "port": int64(80)}}}
		if tt.matches != nil {
			rule["matches"] = tt.matches
		}
		route.Object["spec"] = map[string]any{"rules": []any{rule}}
		s := ReadHTTPRoute(bg, route, newStandby(bg, ReadHTTPRoute(bg, route, nil), v1alpha1.Green))
		if got := s.Gateway.Standby.NoCohort; !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Without them the route is what it was, with another secret; a rule that only testers matched is
// gone, since without a match it would match everybody. What an owner matches stays.
func TestStandbyRouteWithoutTestersIsWhatItWas(t *testing.T) {
	t.Parallel()
	bg, u := withCohort(t, parse(t, sharedRoute))
	s := ReadHTTPRoute(bg, parse(t, sharedRoute), u)
	value := newPassword()
	want := standbySpec(bg, s, v1alpha1.Green, entrance{value: value})
	if diff := cmp.Diff(want, withoutCohort(fields(u.Object["spec"]), value)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	spec := copied(fields(u.Object["spec"]))
	only := map[string]any{"matches": []any{map[string]any{"headers": []any{exactly(v1alpha1.CohortHeaderName, "canary")}}}}
	both := map[string]any{"matches": []any{map[string]any{"headers": []any{
		exactly(v1alpha1.CohortHeaderName, "mine"), standbyMatch(passwordOf(u) + keepSuffix),
	}}}}
	spec["rules"] = append(list(spec["rules"]), only, both)
	got := list(withoutCohort(spec, value)["rules"])
	last := list(fields(got[len(got)-1])["matches"])
	if len(got) != len(list(want["rules"]))+1 || !cmp.Equal(last, []any{map[string]any{"headers": []any{
		exactly(v1alpha1.CohortHeaderName, "mine"), standbyMatch(value + keepSuffix),
	}}}) {
		t.Errorf("the rules are %v", got)
	}
	if !leadsCohort(u, bg.Side(v1alpha1.Green).Service) {
		t.Error("what was read has changed")
	}
}

// A version that does not know the testers' header finds a standby route that is right for no colour.
// It makes it anew when no release is under way, and keeps the pods of a colour to which others may
// be led until then. So the header needs no new format of the record.
func TestStandbyRouteWithMatchesOfALaterVersionIsMadeAnew(t *testing.T) {
	t.Parallel()
	bg, u := withCohort(t, parse(t, sharedRoute))
	data := strings.ReplaceAll(jsonText(t, u.Object), v1alpha1.CohortHeaderName, "X-Turnout-Later")
	later := newHTTPRoute("", "")
	if err := json.Unmarshal([]byte(data), &later.Object); err != nil {
		t.Fatal(err)
	}
	if st := ReadHTTPRoute(bg, parse(t, sharedRoute), later).Gateway.Standby; !st.Ours || st.For != "" || st.Cohort {
		t.Errorf("it is read as %+v", st)
	}
	if IsStandby(later) {
		t.Error("nobody counts as led there")
	}
}

func paths(n int) []any {
	var all []any
	for i := range n {
		all = append(all, map[string]any{"path": map[string]any{"type": "Exact", "value": fmt.Sprint("/", i)}})
	}
	return all
}
