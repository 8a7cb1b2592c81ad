package route

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func onGateway(name string) *v1alpha1.BlueGreen {
	bg := application(name)
	bg.Spec.Gateway = &v1alpha1.GatewaySpec{Route: "shop"}
	return bg
}

// sharedRoute serves app in two rules and web in one, as the API server returns it.
const sharedRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {namespace: shop, name: shop, uid: "7", generation: 3, annotations: {a: b}}
spec:
  future: {kept: true}
  parentRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: outside}
  - {group: gateway.networking.k8s.io, kind: Gateway, namespace: infra, name: inside, sectionName: http}
  hostnames: [shop.example.com]
  rules:
  - name: everything
    matches: [{path: {type: PathPrefix, value: /}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Who, value: shop}]}}
    backendRefs: [{group: "", kind: Service, name: app-blue-svc, port: 80, weight: 1, future: 1}]
    timeouts: {request: 10s}
  - matches: [{path: {type: PathPrefix, value: /web}}]
    backendRefs: [{group: "", kind: Service, name: web-green-svc, port: 80, weight: 1}]
  - matches:
    - {path: {type: Exact, value: /api}}
    - {path: {type: PathPrefix, value: /api/}, method: GET, headers: [{type: Exact, name: X-New, value: "1"}]}
    backendRefs: [{group: "", kind: Service, name: app-blue-svc, port: 8080, weight: 1}]
status:
  parents:
  - parentRef: {group: gateway.networking.k8s.io, kind: Gateway, name: outside}
    controllerName: networking.gke.io/gateway
    conditions:
    - {type: Accepted, status: "True", reason: Accepted, observedGeneration: 3, lastTransitionTime: "2026-01-01T00:00:00Z", message: ""}
`

func readRoute(t *testing.T, bg *v1alpha1.BlueGreen, text string) track.Routes {
	t.Helper()
	return ReadHTTPRoute(bg, parse(t, text), nil)
}

// applied is a route after a patch, read again.
func applied(t *testing.T, u *unstructured.Unstructured, ops []Op) *unstructured.Unstructured {
	t.Helper()
	if ops == nil {
		return u
	}
	data, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(data)
	if err != nil {
		t.Fatal(err)
	}
	before, err := u.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(before)
	if err != nil {
		t.Fatalf("applying %s: %v", data, err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(after); err != nil {
		t.Fatal(err)
	}
	out.SetGeneration(u.GetGeneration() + 1)
	return out
}

func TestReadHTTPRouteTellsOneApplicationFromAnother(t *testing.T) {
	app := readRoute(t, onGateway("app"), sharedRoute)
	if app.Live() != v1alpha1.Blue || app.Mixed() || app.Attached(v1alpha1.Green) || app.LoadBalancer != v1alpha1.LoadBalancerGateway {
		t.Errorf("app: live %q, mixed %v, of %s", app.Live(), app.Mixed(), app.LoadBalancer)
	}
	var users []string
	for _, b := range app.Users[v1alpha1.Blue] {
		users = append(users, b.String()+":"+track.PortText(b.Port))
	}
	want := []string{"shop.example.com/:80", "shop.example.com/api exactly, GET /api/ with 1 conditions:8080"}
	if diff := cmp.Diff(want, users); diff != "" {
		t.Errorf("the users' routes (-want +got):\n%s", diff)
	}
	if got := app.String(); got != "httproute shop" {
		t.Errorf("it is called %s", got)
	}
	if web := readRoute(t, onGateway("web"), sharedRoute); web.Live() != v1alpha1.Green {
		t.Errorf("web: live %q", web.Live())
	}
	if none := readRoute(t, onGateway("none"), sharedRoute); none.Live() != "" || none.Mixed() {
		t.Errorf("none: live %q", none.Live())
	}
	if ReadHTTPRoute(onGateway("app"), nil, nil).Exists {
		t.Error("no route exists")
	}
	mixed := readRoute(t, onGateway("app"),
		strings.Replace(sharedRoute, "name: app-blue-svc, port: 8080", "name: app-green-svc, port: 8080", 1))
	if !mixed.Mixed() || mixed.Live() != "" {
		t.Errorf("mixed %v, live %q", mixed.Mixed(), mixed.Live())
	}
}

func TestSameNameInAnotherNamespaceOrOfAnotherKindIsSomebodyElse(t *testing.T) {
	for _, change := range []string{"namespace: other, name: app-blue-svc", "namespace: shop, name: app-blue-svc"} {
		s := readRoute(t, onGateway("app"), strings.ReplaceAll(sharedRoute, "name: app-blue-svc", change))
		if got, want := s.Live() == v1alpha1.Blue, strings.Contains(change, "shop"); got != want {
			t.Errorf("%s: live %q", change, s.Live())
		}
	}
	s := readRoute(t, onGateway("app"), strings.ReplaceAll(sharedRoute, `{group: "", kind: Service, name: app-blue-svc`,
		`{group: net.gke.io, kind: ServiceImport, name: app-blue-svc`))
	if s.Live() != "" {
		t.Errorf("a ServiceImport counts as live: %q", s.Live())
	}
}

func TestSharesPatchChangesNothingButReferences(t *testing.T) {
	bg := onGateway("app")
	s := readRoute(t, bg, sharedRoute)
	ops, err := attachPatch(bg, s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":100}
{"op":"add","path":"/spec/rules/0/backendRefs/-","value":` +
		`{"future":1,"group":"","kind":"Service","name":"app-green-svc","port":80,"weight":0}}
{"op":"add","path":"/spec/rules/2/backendRefs/0/weight","value":100}
{"op":"add","path":"/spec/rules/2/backendRefs/-","value":{"group":"","kind":"Service","name":"app-green-svc","port":8080,"weight":0}}`
	if diff := cmp.Diff(want, changes(t, s, ops)); diff != "" {
		t.Errorf("attaching (-want +got):\n%s", diff)
	}
	attached := applied(t, parse(t, sharedRoute), ops)
	s = ReadHTTPRoute(bg, attached, nil)
	if s.Live() != v1alpha1.Blue || !s.Gateway.Complete() {
		t.Fatalf("attached: live %q, %+v", s.Live(), s.Gateway.Rules)
	}
	if again, err := attachPatch(bg, s, v1alpha1.Green); again != nil || err != nil {
		t.Errorf("attaching again is %v, %v", again, err)
	}
	ops, err = switchSharesPatch(bg, s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	want = `{"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":0}
{"op":"add","path":"/spec/rules/0/backendRefs/1/weight","value":100}
{"op":"add","path":"/spec/rules/2/backendRefs/0/weight","value":0}
{"op":"add","path":"/spec/rules/2/backendRefs/1/weight","value":100}`
	if diff := cmp.Diff(want, changes(t, s, ops)); diff != "" {
		t.Errorf("switching (-want +got):\n%s", diff)
	}
	some, err := SharesPatch(bg, s, Shares{Blue: 95, Green: 5})
	if err != nil {
		t.Fatal(err)
	}
	if shared := ReadHTTPRoute(bg, applied(t, attached, some), nil); !shared.Mixed() || shared.Live() != "" {
		t.Errorf("95 to 5: mixed %v, live %q", shared.Mixed(), shared.Live())
	}
	if ops := detachSharesPatch(s, v1alpha1.Green); changes(t, s, ops) != `{"op":"remove","path":"/spec/rules/0/backendRefs/1"}
{"op":"remove","path":"/spec/rules/2/backendRefs/1"}` {
		t.Errorf("detaching: %s", changes(t, s, ops))
	}
	if ops := detachSharesPatch(s, v1alpha1.Blue); ops != nil {
		t.Errorf("detaching the users' colour: %v", ops)
	}
}

func TestPatchesOfARouteTestGenerationAndFence(t *testing.T) {
	bg := onGateway("app")
	for _, annotations := range []string{"{a: b}", "{a: b, turnout.dev/fence: '12'}"} {
		s := readRoute(t, bg, strings.Replace(sharedRoute, "{a: b}", annotations, 1))
		ops, err := attachPatch(bg, s, v1alpha1.Green)
		if err != nil {
			t.Fatal(err)
		}
		u := parse(t, strings.Replace(sharedRoute, "{a: b}", annotations, 1))
		applied(t, u, ops)
		for name, change := range map[string]func(*unstructured.Unstructured){
			"another object":     func(u *unstructured.Unstructured) { u.SetUID("8") },
			"another generation": func(u *unstructured.Unstructured) { u.SetGeneration(4) },
			"a fence": func(u *unstructured.Unstructured) {
				u.SetAnnotations(map[string]string{v1alpha1.FenceAnnotation: "13"})
			},
		} {
			other := u.DeepCopy()
			change(other)
			data, _ := json.Marshal(ops)
			patch, err := jsonpatch.DecodePatch(data)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := other.MarshalJSON()
			if _, err := patch.Apply(text); err == nil {
				t.Errorf("%s: the API server accepts the patch", name)
			}
		}
	}
}

// apiRule is the beginning of sharedRoute's third rule, before its references.
const apiRule = `matches:
    - {path: {type: Exact, value: /api}}
    - {path: {type: PathPrefix, value: /api/}, method: GET, headers: [{type: Exact, name: X-New, value: "1"}]}
    `

func TestRefusals(t *testing.T) {
	const ref = `backendRefs: [{group: "", kind: Service, name: app-blue-svc, port: 8080, weight: 1}]`
	headers := make([]string, 16)
	for i := range headers {
		headers[i] = fmt.Sprintf(`{name: X-%d, value: "1"}`, i)
	}
	tests := []struct{ name, with, want string }{
		{"nothing", ref, ""},
		{
			"a third backend", `backendRefs: [{name: app-blue-svc, port: 8080}, {name: old, port: 80}]`,
			"ThirdBackend spec.rules[2].backendRefs[1] names old beside app-blue-svc and app-green-svc: move it to a rule of its own, or remove it",
		},
		{
			"one of another namespace", `backendRefs: [{name: app-blue-svc, port: 8080}, {name: app-green-svc, namespace: x, port: 80}]`,
			"ThirdBackend spec.rules[2].backendRefs[1] names x/app-green-svc beside app-blue-svc and app-green-svc: move it to a rule of its own, " +
				"or remove it",
		},
		{
			"a bucket", `backendRefs: [{name: app-blue-svc, port: 8080}, {kind: Bucket, group: x.y, name: b}]`,
			"Kind spec.rules[2].backendRefs[1] is a Bucket, not a Service, beside app-blue-svc and app-green-svc: move it to a rule of its own",
		},
		{
			"filters", `backendRefs: [{name: app-blue-svc, port: 8080, filters: [{type: URLRewrite}]}]`,
			"BackendFilters spec.rules[2].backendRefs[0].filters would move with the weights: move them to spec.rules[2].filters",
		},
		{
			"one twice", `backendRefs: [{name: app-blue-svc, port: 8080}, {name: app-blue-svc, port: 80}]`,
			"Twice spec.rules[2].backendRefs[1] names service app-blue-svc again: name it once in a rule",
		},
		{
			"different ports", `backendRefs: [{name: app-blue-svc, port: 8080}, {name: app-green-svc, port: 80, weight: 0}]`,
			"Ports spec.rules[2].backendRefs names port 8080 of app-blue-svc and port 80 of app-green-svc: name the same port of both",
		},
		{
			"no share", `backendRefs: [{name: app-blue-svc, port: 8080, weight: 0}]`,
			"NoShare spec.rules[2].backendRefs sends nobody to app-blue-svc and app-green-svc: give one of them a weight",
		},
		{
			"sessions", ref + "\n    sessionPersistence: {type: Cookie}",
			"SessionPersistence spec.rules[2].sessionPersistence keeps users with the colour that they had, whatever the weights: remove it",
		},
		{
			"a mirror", ref + "\n    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: app-green-svc, port: 80}}}]",
			"Mirror spec.rules[2].filters[0].requestMirror sends copies of requests to service app-green-svc, whichever version it has: remove it",
		},
		{"a mirror to somebody else", ref + "\n    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: log, port: 80}}}]", ""},
		{
			"our header", "matches: [{headers: [{name: x-turnout-standby, value: a}]}]\n    " + ref,
			"Header spec.rules[2].matches[0].headers has the header X-Turnout-Standby, which is Turnout's: remove it",
		},
		{
			"16 headers", "matches: [{headers: [" + strings.Join(headers, ", ") + "]}]\n    " + ref,
			"Headers spec.rules[2].matches[0].headers has 16 headers, and the standby route needs one more (at most 16): match fewer",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(sharedRoute, apiRule+ref, test.with, 1)
			if !strings.HasPrefix(test.with, "matches:") {
				text = strings.Replace(sharedRoute, ref, test.with, 1)
			}
			s := readRoute(t, onGateway("app"), text)
			var got []string
			for _, r := range s.Gateway.Refusals {
				got = append(got, r.Reason+" "+r.String())
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
			_, err := attachPatch(onGateway("app"), s, v1alpha1.Green)
			if (err != nil) != (test.want != "") && s.Live() != "" {
				t.Errorf("attaching is %v", err)
			}
		})
	}
}

func TestRefusalsOfARouteWithoutRoomForTheStandby(t *testing.T) {
	u := parse(t, sharedRoute)
	rule := list(fields(u.Object["spec"])["rules"])[0]
	many := func(n int, matches int) *unstructured.Unstructured {
		u := u.DeepCopy()
		var rules []any
		for range n {
			r := copied(fields(rule))
			r["matches"] = slices.Repeat(list(r["matches"]), matches)
			rules = append(rules, r)
		}
		fields(u.Object["spec"])["rules"] = rules
		return u
	}
	for _, test := range []struct {
		rules, matches int
		want           string
	}{{15, 1, ""}, {16, 1, "Rules"}, {8, 16, "Matches"}, {8, 15, ""}} {
		got := ""
		for _, r := range ReadHTTPRoute(onGateway("app"), many(test.rules, test.matches), nil).Gateway.Refusals {
			got += r.Reason
		}
		if got != test.want {
			t.Errorf("%d rules of %d matches are refused for %q, not %q", test.rules, test.matches, got, test.want)
		}
	}
}

// randomRoute has rules of every accepted kind.
func randomRoute(t *testing.T, r *rand.Rand) *unstructured.Unstructured {
	t.Helper()
	u := parse(t, sharedRoute)
	rule := fields(list(fields(u.Object["spec"])["rules"])[0])
	var rules []any
	for range 1 + r.IntN(6) {
		one := copied(rule)
		one["future"] = r.Int64N(9)
		refs := []any{map[string]any{"name": "app-blue-svc", "port": int64(80 + r.IntN(2)), "future": r.Int64N(9)}}
		if r.IntN(2) == 0 {
			fields(refs[0])["weight"] = 1 + r.Int64N(1000)
		}
		if r.IntN(3) == 0 {
			refs = append(refs, map[string]any{"name": "app-green-svc", "port": fields(refs[0])["port"], "weight": int64(0)})
		}
		if r.IntN(4) == 0 {
			refs = []any{map[string]any{"name": "somebody-else", "port": int64(80)}, map[string]any{"name": "log", "port": int64(1)}}
		}
		if r.IntN(2) == 0 {
			slices.Reverse(refs)
		}
		one["backendRefs"] = refs
		rules = append(rules, one)
	}
	fields(u.Object["spec"])["rules"] = append(rules, copied(rule))
	return u
}

func TestSwitchAndBackIsIdentityAndMovesNothingButWeights(t *testing.T) {
	bg := onGateway("app")
	for seed := range uint64(300) {
		u := randomRoute(t, rand.New(rand.NewPCG(seed, 15)))
		ops, err := attachPatch(bg, ReadHTTPRoute(bg, u, nil), v1alpha1.Green)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		start := applied(t, u, ops)
		if diff := cmp.Diff(withoutOurs(u), withoutOurs(start)); diff != "" {
			t.Fatalf("seed %d: attaching changed more than references (-before +after):\n%s", seed, diff)
		}
		there := start
		for _, to := range []v1alpha1.Color{v1alpha1.Green, v1alpha1.Blue} {
			ops, err := switchSharesPatch(bg, ReadHTTPRoute(bg, there, nil), to)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, op := range ops[3:] {
				if !strings.HasSuffix(op.Path, "/weight") {
					t.Fatalf("seed %d: a switch changes %s", seed, op.Path)
				}
			}
			there = applied(t, there, ops)
			if got := ReadHTTPRoute(bg, there, nil); got.Live() != to {
				t.Fatalf("seed %d: live is %q after a switch to %s", seed, got.Live(), to)
			}
		}
		if diff := cmp.Diff(start.Object["spec"], there.Object["spec"]); diff != "" {
			t.Fatalf("seed %d: there and back is another route (-before +after):\n%s", seed, diff)
		}
	}
}

// withoutOurs is a route without references to the application's Services.
func withoutOurs(u *unstructured.Unstructured) map[string]any {
	spec := copied(fields(u.Object["spec"]))
	for _, r := range list(spec["rules"]) {
		rule := fields(r)
		if rule == nil {
			continue
		}
		rule["backendRefs"] = slices.DeleteFunc(list(rule["backendRefs"]), func(v any) bool {
			return strings.HasPrefix(text(fields(v)["name"]), "app-")
		})
	}
	return spec
}

func FuzzReadHTTPRoute(f *testing.F) {
	f.Add([]byte(`{"spec":{"rules":[{"backendRefs":[{"name":"app-blue-svc","port":80}]}]}}`))
	f.Add([]byte(`{"spec":{"rules":[{"matches":[{"headers":[{"name":"X-Turnout-Standby"}]}],"backendRefs":[{"name":"app-green-svc",` +
		`"weight":0.5}]}]}}`))
	f.Add([]byte(`{"spec":{"rules":[1,{"backendRefs":"x"},{"filters":[{"requestMirror":1}]}]},"status":{"parents":[{"conditions":[{}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		u := &unstructured.Unstructured{}
		if json.Unmarshal(data, &u.Object) != nil || u.Object == nil {
			return
		}
		u.SetGroupVersionKind(HTTPRouteKind)
		u.Object["metadata"] = map[string]any{"uid": "7", "generation": int64(3)} // an API server's own
		bg := onGateway("app")
		s := ReadHTTPRoute(bg, u, u.DeepCopy())
		if s.Live() != "" && s.Mixed() {
			t.Error("one colour is live, and the routes count as mixed")
		}
		if len(s.Gateway.Rules) == 0 {
			return
		}
		before := jsonText(t, u.Object)
		ops, err := SharesPatch(bg, s, Shares{Blue: 60, Green: 40})
		standbySpec(bg, s, v1alpha1.Green, entrance{value: newPassword(), cohort: true})
		if after := jsonText(t, u.Object); after != before || err != nil {
			t.Errorf("building patches changed the routes that were read: %s (%v)", after, err)
		}
		if len(ops) > 0 {
			patched := applied(t, u, ops)
			if diff := cmp.Diff(withoutOurs(u), withoutOurs(patched), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("more than our references changed (-before +after):\n%s", diff)
			}
			after := ReadHTTPRoute(bg, patched, nil)
			for _, r := range after.Gateway.Rules {
				if r.Refs[v1alpha1.Blue].Weight != 60 || r.Refs[v1alpha1.Green].Weight != 40 {
					t.Errorf("the shares are %+v", r.Refs)
				}
			}
		}
	})
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
