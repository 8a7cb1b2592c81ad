package route

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// standbyOf is the standby route that Turnout creates for a route, leading to green, as read
// later.
func standbyOf(t *testing.T, bg *v1alpha1.BlueGreen, route *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	u := newStandby(bg, ReadHTTPRoute(bg, route, nil), v1alpha1.Green)
	u.SetGeneration(1)
	return u
}

func TestStandbyFollowsTheRouteToTheOtherColour(t *testing.T) {
	bg := onGateway("app")
	standby := standbyOf(t, bg, parse(t, sharedRoute))
	value := passwordOf(standby)
	data, err := yaml.Marshal(standby.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	want := `future:
  kept: true
hostnames:
- shop.example.com
parentRefs:
- group: gateway.networking.k8s.io
  kind: Gateway
  name: outside
- group: gateway.networking.k8s.io
  kind: Gateway
  name: inside
  namespace: infra
  sectionName: http
rules:
- backendRefs:
  - future: 1
    group: ""
    kind: Service
    name: app-green-svc
    port: 80
    weight: 1
  filters:
  - requestHeaderModifier:
      remove:
      - X-Turnout-Standby
      set:
      - name: X-Who
        value: shop
    type: RequestHeaderModifier
  matches:
  - headers:
    - name: X-Turnout-Standby
      type: Exact
      value: SECRET
    path:
      type: PathPrefix
      value: /
  timeouts:
    request: 10s
- backendRefs:
  - group: ""
    kind: Service
    name: app-green-svc
    port: 8080
    weight: 1
  filters:
  - requestHeaderModifier:
      remove:
      - X-Turnout-Standby
    type: RequestHeaderModifier
  matches:
  - headers:
    - name: X-Turnout-Standby
      type: Exact
      value: SECRET
    path:
      type: Exact
      value: /api
  - headers:
    - name: X-New
      type: Exact
      value: "1"
    - name: X-Turnout-Standby
      type: Exact
      value: SECRET
    method: GET
    path:
      type: PathPrefix
      value: /api/
- backendRefs:
  - group: ""
    kind: Service
    name: app-blue-svc
    port: 80
    weight: 1
  - group: ""
    kind: Service
    name: app-blue-svc
    port: 8080
    weight: 1
  filters:
  - requestHeaderModifier:
      remove:
      - X-Turnout-Standby
    type: RequestHeaderModifier
  matches:
  - headers:
    - name: X-Turnout-Standby
      type: Exact
      value: SECRET-keep
    path:
      type: PathPrefix
      value: /
`
	if diff := cmp.Diff(want, strings.ReplaceAll(string(data), value, "SECRET")); diff != "" {
		t.Errorf("the standby route (-want +got):\n%s", diff)
	}
	if standby.GetName() != "app-standby" || !IsStandby(standby) {
		t.Errorf("it is %s, owned by %v", standby.GetName(), standby.GetOwnerReferences())
	}
	if other := standbyOf(t, bg, parse(t, sharedRoute)); passwordOf(other) == value {
		t.Error("two standby routes have the same value")
	}
}

func TestStandbyKeepsItsValueAndNamesBothColours(t *testing.T) {
	bg := onGateway("app")
	route := parse(t, sharedRoute)
	ops, err := attachPatch(bg, ReadHTTPRoute(bg, route, nil), v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	standby := standbyOf(t, bg, route)
	s := ReadHTTPRoute(bg, applied(t, route, ops), standby)
	if !s.Attached(v1alpha1.Green) || s.Attached(v1alpha1.Blue) || !s.Kept(v1alpha1.Green) || !s.Kept(v1alpha1.Blue) {
		t.Errorf("the standby is %+v, kept %v", s.Gateway.Standby, s.Standby)
	}
	switched, err := switchSharesPatch(bg, s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	after := ReadHTTPRoute(bg, applied(t, applied(t, route, ops), switched), standby)
	if after.Live() != v1alpha1.Green || !after.Kept(v1alpha1.Blue) || after.Attached(v1alpha1.Blue) {
		t.Errorf("after the switch the standby is %+v, live %q", after.Gateway.Standby, after.Live())
	}
	spec := standbySpec(bg, after, v1alpha1.Blue, entrance{value: passwordOf(standby)})
	standby.Object["spec"] = spec
	if turned := ReadHTTPRoute(bg, route, standby); turned.Gateway.Standby.For != v1alpha1.Blue {
		t.Errorf("after the colours changed places the standby is %+v", turned.Gateway.Standby)
	}
	if !strings.Contains(jsonText(t, spec), passwordOf(standby)) {
		t.Error("after the colours changed places the header has another value")
	}
}

func TestStandbyThatIsNotAsItShouldBeIsNone(t *testing.T) {
	bg := onGateway("app")
	kept := map[string]bool{"another host": true, "a guessable value": true} // it still names both Services
	for name, change := range map[string]func(u *unstructured.Unstructured){
		"another host":   func(u *unstructured.Unstructured) { fields(u.Object["spec"])["hostnames"] = []any{"x.example.com"} },
		"no rule":        func(u *unstructured.Unstructured) { delete(fields(u.Object["spec"]), "rules") },
		"somebody's own": func(u *unstructured.Unstructured) { u.SetOwnerReferences(nil) },
		"a guessable value": func(u *unstructured.Unstructured) {
			for _, m := range list(fields(list(fields(u.Object["spec"])["rules"])[0])["matches"]) {
				fields(list(fields(m)["headers"])[0])["value"] = "x"
			}
		},
	} {
		standby := standbyOf(t, bg, parse(t, sharedRoute))
		change(standby)
		if s := ReadHTTPRoute(bg, parse(t, sharedRoute), standby); s.Gateway.Standby.For != "" || s.Kept(v1alpha1.Green) != kept[name] {
			t.Errorf("%s: %+v", name, s.Gateway.Standby)
		}
	}
}

func TestOnlyRoutesBehindTheHeaderAreStandbys(t *testing.T) {
	bg := onGateway("app")
	open := standbyOf(t, bg, parse(t, sharedRoute))
	delete(fields(list(fields(open.Object["spec"])["rules"])[0]), "matches")
	own := parse(t, sharedRoute)
	own.SetOwnerReferences(open.GetOwnerReferences())
	for name, u := range map[string]*unstructured.Unstructured{"with an open rule": open, "the application's own": own} {
		if IsStandby(u) {
			t.Errorf("the route %s counts as a standby route", name)
		}
	}
}
