package route

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func application(name string) *v1alpha1.BlueGreen {
	return &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "u-" + "1"}}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		u := &unstructured.Unstructured{}
		if err = u.UnmarshalJSON(data); err == nil {
			return u
		}
	}
	t.Fatal(err)
	return nil
}

const header = "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"

// shared serves two applications, with every way in which an Ingress can name a Service.
const shared = header + `
metadata:
  name: app-ingress
  uid: "7"
  annotations: {standby.turnout.dev/app: standby-u-1.invalid, standby.turnout.dev/web: web.invalid}
spec:
  future: {kept: true}
  defaultBackend: {service: {name: app-blue-svc, port: {name: http}}}
  rules:
  - host: a.example.com
    http: {paths: [{path: /api, backend: {service: {name: app-blue-svc, port: {number: 80}}}}, {path: /,
      backend: {service: {name: web-green-svc, port: {number: 80}}}}]}
  - host: standby-u-1.invalid
    http: {paths: [{path: /, backend: {service: {name: app-green-svc, port: {number: 80}}}}, {path: /turnout-port-http,
      backend: {service: {name: app-green-svc, port: {name: http}}}}]}
  - host: web.invalid
    http: {paths: [{path: /, backend: {service: {name: web-blue-svc, port: {number: 80}}}}]}
  - host: bucket.example.com
    http: {paths: [{path: /, backend: {resource: {kind: StorageBucket, name: x}}}]}
`

func TestReadSeparatesUsersFromStandbyAndApplicationsFromEachOther(t *testing.T) {
	app := Read(application("app"), parse(t, shared))
	if app.Live() != v1alpha1.Blue || app.Mixed() || !app.Attached(v1alpha1.Green) || app.Attached(v1alpha1.Blue) {
		t.Errorf("app: live %q, mixed %v, standby %v", app.Live(), app.Mixed(), app.Standby)
	}
	if got := fmt.Sprint(app.Users[v1alpha1.Blue][0], ", ", app.Users[v1alpha1.Blue][1]); got != "the default backend, a.example.com/api" {
		t.Errorf("the users' routes are %s", got)
	}
	web := Read(application("web"), parse(t, shared))
	if web.Live() != v1alpha1.Green || !web.Attached(v1alpha1.Blue) {
		t.Errorf("web: live %q, standby %v", web.Live(), web.Standby)
	}
	none := Read(application("none"), parse(t, shared))
	if none.Live() != "" || none.Mixed() {
		t.Errorf("none: live %q", none.Live())
	}
	if Read(application("app"), nil).Exists {
		t.Error("no ingress exists")
	}
}

func TestReadOfMixedRoutesAndATakenHost(t *testing.T) {
	mixed := Read(application("app"), parse(t, strings.ReplaceAll(shared, "host: standby-u-1.invalid", "host: b.example.com")))
	if !mixed.Mixed() || mixed.Live() != "" {
		t.Errorf("mixed %v, live %q", mixed.Mixed(), mixed.Live())
	}
	taken := Read(application("app"), parse(t, strings.ReplaceAll(shared, "standby.turnout.dev/app: standby-u-1.invalid, ", "")))
	if taken.HostTaken != "standby-u-1.invalid" {
		t.Errorf("the taken host is %q", taken.HostTaken)
	}
	if _, err := AttachPatch(application("app"), taken, v1alpha1.Green); err == nil ||
		!strings.Contains(err.Error(), "spec.ingress.standbyHost") {
		t.Errorf("attaching under another application's host gives %v", err)
	}
}

// changes are the operations after the guard, as JSON lines.
func changes(t *testing.T, s track.Routes, ops []Op) string {
	t.Helper()
	if diff := cmp.Diff(guard(s), ops[:min(len(ops), 3)]); diff != "" {
		t.Fatalf("the patch does not begin with its guard:\n%s", diff)
	}
	var lines []string
	for _, op := range ops[3:] {
		line, err := json.Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	return strings.Join(lines, "\n")
}

func TestSwitchPatchChangesNothingButNames(t *testing.T) {
	s := Read(application("app"), parse(t, shared))
	ops, err := SwitchPatch(application("app"), s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"op":"replace","path":"/spec/defaultBackend/service/name","value":"app-green-svc"}
{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"app-green-svc"}
{"op":"replace","path":"/spec/rules/1/http/paths/0/backend/service/name","value":"app-blue-svc"}
{"op":"replace","path":"/spec/rules/1/http/paths/1/backend/service/name","value":"app-blue-svc"}`
	if diff := cmp.Diff(want, changes(t, s, ops)); diff != "" {
		t.Errorf("the patch (-want +got):\n%s", diff)
	}
	if ops, err := SwitchPatch(application("app"), s, v1alpha1.Blue); ops != nil || err != nil {
		t.Errorf("a switch to the live colour gives %v, %v", ops, err)
	}
	if _, err := SwitchPatch(application("none"), Read(application("none"), parse(t, shared)), v1alpha1.Green); err == nil {
		t.Error("a switch of an application without routes gives no error")
	}
}

func TestAttachPatch(t *testing.T) {
	rule := `{"op":"add","path":"/spec/rules/-","value":{"host":"standby-u-1.invalid",` +
		`"http":{"paths":[{"backend":{"service":{"name":"app-green-svc","port":{"name":"http"}}},"path":"/","pathType":"Prefix"}]}}}`
	note := `{"op":"add","path":"/metadata/annotations/standby.turnout.dev~1app","value":"standby-u-1.invalid"}`
	live := "defaultBackend: {service: {name: app-blue-svc, port: {name: http}}}"
	tests := []struct{ name, ingress, want string }{
		{
			"rules and annotations", "metadata: {name: i, uid: '7', annotations: {x: z}}\nspec: {" + live + ", rules: [{host: x}]}",
			rule + "\n" + note,
		},
		{
			"no annotations", "metadata: {name: i, uid: '7'}\nspec: {" + live + ", rules: [{host: x}]}",
			rule + "\n" + `{"op":"add","path":"/metadata/annotations","value":{}}` + "\n" + note,
		},
		{
			"no rules", "metadata: {name: i, uid: '7', annotations: {x: z}}\nspec: {" + live + "}",
			strings.Replace(strings.Replace(rule, "rules/-", "rules", 1), `"value":{"host"`, `"value":[{"host"`, 1)[:len(rule)-2] + "]}\n" + note,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Read(application("app"), parse(t, header+tt.ingress))
			ops, err := AttachPatch(application("app"), s, v1alpha1.Green)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, changes(t, s, ops)); diff != "" {
				t.Errorf("the patch (-want +got):\n%s", diff)
			}
		})
	}
	s := Read(application("app"), parse(t, shared))
	if ops, err := AttachPatch(application("app"), s, v1alpha1.Green); ops != nil || err != nil {
		t.Errorf("attaching an attached colour gives %v, %v", ops, err)
	}
}

func TestAttachTurnsAStandbyRuleThatNamesTheLiveColour(t *testing.T) {
	text := strings.ReplaceAll(shared, "app-green-svc", "app-blue-svc")
	s := Read(application("app"), parse(t, text))
	ops, err := AttachPatch(application("app"), s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"op":"replace","path":"/spec/rules/1/http/paths/0/backend/service/name","value":"app-green-svc"}
{"op":"replace","path":"/spec/rules/1/http/paths/1/backend/service/name","value":"app-green-svc"}`
	if got := changes(t, s, ops); got != want {
		t.Errorf("the patch is %s", got)
	}
}

// ports routes users to two ports of blue, to one of them twice.
const ports = header + `
metadata: {name: i, uid: '7', annotations: {x: z}}
spec:
  defaultBackend: {service: {name: app-blue-svc, port: {name: http}}}
  rules:
  - host: a.example.com
    http: {paths: [{path: /admin, backend: {service: {name: app-blue-svc, port: {number: 8080}}}}, {path: /,
      backend: {service: {name: app-blue-svc, port: {name: http}}}}]}
`

// standby adds a rule for the standby host with some paths, and records the host.
func standby(t *testing.T, paths string) track.Routes {
	t.Helper()
	text := strings.Replace(ports, "{x: z}", "{standby.turnout.dev/app: standby-u-1.invalid}", 1)
	return Read(application("app"), parse(t, text+"  - host: standby-u-1.invalid\n    http: {paths: ["+paths+"]}\n"))
}

func TestAttachPatchReferencesEveryPortThatUsersAreRoutedTo(t *testing.T) {
	app := application("app")
	s := Read(app, parse(t, ports))
	ops, err := AttachPatch(app, s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"op":"add","path":"/spec/rules/-","value":{"host":"standby-u-1.invalid",` +
		`"http":{"paths":[{"backend":{"service":{"name":"app-green-svc","port":{"name":"http"}}},"path":"/","pathType":"Prefix"},` +
		`{"backend":{"service":{"name":"app-green-svc","port":{"number":8080}}},"path":"/turnout-port-8080","pathType":"Prefix"}]}}}
{"op":"add","path":"/metadata/annotations/standby.turnout.dev~1app","value":"standby-u-1.invalid"}`
	if diff := cmp.Diff(want, changes(t, s, ops)); diff != "" {
		t.Errorf("the patch (-want +got):\n%s", diff)
	}

	const (
		turn = `{"op":"replace","path":"/spec/rules/1/http/paths/0/backend/service/name","value":"app-green-svc"}` + "\n"
		web  = `{"op":"add","path":"/spec/rules/1/http/paths/-","value":{"backend":{"service":{"name":"app-green-svc","port":{"name":"http"}}},` +
			`"path":"PATH","pathType":"Prefix"}}`
		adm = `{"op":"add","path":"/spec/rules/1/http/paths/-","value":{"backend":{"service":{"name":"app-green-svc","port":{"number":8080}}},` +
			`"path":"/turnout-port-8080","pathType":"Prefix"}}`
	)
	for name, tt := range map[string]struct{ paths, want string }{
		"one port is there": {"{path: /, backend: {service: {name: app-green-svc, port: {name: http}}}}", adm},
		"the other port is there": {
			"{path: /, backend: {service: {name: app-green-svc, port: {number: 8080}}}}",
			strings.Replace(web, "PATH", "/turnout-port-http", 1),
		},
		"it names the live colour": {"{path: /, backend: {service: {name: app-blue-svc, port: {name: http}}}}", turn + adm},
		"its paths are somebody's": {
			"{path: /x, backend: {service: {name: x-svc, port: {name: http}}}}",
			strings.Replace(web, "PATH", "/", 1) + "\n" + adm,
		},
		"its only / is somebody's": {
			"{path: /, backend: {service: {name: x-svc, port: {name: http}}}}",
			strings.Replace(web, "PATH", "/turnout-port-http", 1) + "\n" + adm,
		},
		"a port that nobody uses, too": {"{path: /, backend: {service: {name: app-green-svc, port: {number: 1}}}}, {path: /y, backend: " +
			"{service: {name: app-green-svc, port: {name: http}}}}", adm},
	} {
		t.Run(name, func(t *testing.T) {
			s := standby(t, tt.paths)
			if s.Attached(v1alpha1.Green) {
				t.Fatal("the colour counts as attached already")
			}
			ops, err := AttachPatch(app, s, v1alpha1.Green)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, changes(t, s, ops)); diff != "" {
				t.Errorf("the patch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSwitchThereAndBackKeepsEveryPortReferenced(t *testing.T) {
	app := application("app")
	i := parse(t, ports)
	named := func(c v1alpha1.Color) (of []string) {
		for _, b := range Backends(Read(app, i)) {
			if b.Service == app.Side(c).Service && !slices.Contains(of, track.PortText(b.Port)) {
				of = append(of, track.PortText(b.Port))
			}
		}
		slices.Sort(of)
		return of
	}
	step := func(patch func(track.Routes) ([]Op, error)) {
		t.Helper()
		ops, err := patch(Read(app, i))
		if err != nil {
			t.Fatal(err)
		}
		i = i.DeepCopy()
		for _, op := range ops {
			if op.Op != "test" {
				apply(t, i.Object, op)
			}
		}
		for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
			if diff := cmp.Diff([]string{"8080", "http"}, named(c)); diff != "" {
				t.Errorf("the ports of %s that are referenced (-want +got):\n%s", c, diff)
			}
		}
	}
	step(func(s track.Routes) ([]Op, error) { return AttachPatch(app, s, v1alpha1.Green) })
	for _, to := range []v1alpha1.Color{v1alpha1.Green, v1alpha1.Blue} {
		step(func(s track.Routes) ([]Op, error) { return SwitchPatch(app, s, to) })
		if s := Read(app, i); s.Live() != to || !s.Attached(to.Other()) {
			t.Errorf("after the switch to %s %q is live, the standby is %v", to, s.Live(), s.Standby)
		}
	}
	s := Read(app, i)
	want := `{"op":"remove","path":"/spec/rules/1"}` + "\n" + `{"op":"remove","path":"/metadata/annotations/standby.turnout.dev~1app"}`
	if diff := cmp.Diff(want, changes(t, s, DetachPatch(app, s, v1alpha1.Green))); diff != "" {
		t.Errorf("the patch that detaches (-want +got):\n%s", diff)
	}
}

// A patch also tests an Ingress that was read without annotations, or without a fence.
func TestEveryPatchTestsTheFence(t *testing.T) {
	app := application("app")
	bare := parse(t, shared)
	bare.SetAnnotations(nil)
	fenced := parse(t, shared)
	fenced.SetAnnotations(map[string]string{v1alpha1.FenceAnnotation: "17"})
	for want, i := range map[string]*unstructured.Unstructured{
		`{"op":"test","path":"/metadata/annotations","value":null}`:                    bare,
		`{"op":"test","path":"/metadata/annotations/turnout.dev~1fence","value":null}`: parse(t, shared),
		`{"op":"test","path":"/metadata/annotations/turnout.dev~1fence","value":"17"}`: fenced,
	} {
		ops := FencePatch(Read(app, i))
		if got, err := json.Marshal(ops[2]); err != nil || string(got) != want {
			t.Errorf("the third operation is %s (%v), want %s", got, err, want)
		}
	}
}

// A fence writes the object's resource version, which never comes back.
func TestFenceWritesWhatNeverComesBack(t *testing.T) {
	for annotations, want := range map[string]string{
		"": `{"op":"add","path":"/metadata/annotations","value":{}}
{"op":"add","path":"/metadata/annotations/turnout.dev~1fence","value":"42"}`,
		"annotations: {x: z}":                 `{"op":"add","path":"/metadata/annotations/turnout.dev~1fence","value":"42"}`,
		"annotations: {turnout.dev/fence: a}": `{"op":"add","path":"/metadata/annotations/turnout.dev~1fence","value":"42"}`,
	} {
		s := Read(application("app"), parse(t, header+"metadata: {name: i, uid: '7', resourceVersion: '42', "+annotations+"}\nspec: {}"))
		if diff := cmp.Diff(want, changes(t, s, FencePatch(s))); diff != "" {
			t.Errorf("%s: the patch (-want +got):\n%s", annotations, diff)
		}
	}
}

// The standby rule is found by its host, wherever it stands, and by nothing else.
func TestStandbyRuleIsFoundByItsHost(t *testing.T) {
	const path = "{path: /, backend: {service: {name: x-svc, port: {name: http}}}}"
	for name, tt := range map[string]struct {
		record, rules  string
		pointer        string
		rooted, exists bool
	}{
		"it is the first": {
			"h", "[{host: h, http: {paths: [" + path + "]}}, {host: x, http: {paths: [" + path + "]}}]", "/spec/rules/0", true,
			true,
		},
		"the last of two": {
			"h", "[{host: h, http: {paths: [" + path + "]}}, {host: h, http: {paths: [{path: /y}]}}]", "/spec/rules/1", false,
			true,
		},
		"one has no paths": {"h", "[{host: h, http: {paths: [" + path + "]}}, {host: h}]", "/spec/rules/0", true, true},
		"none is there":    {"h", "[{host: x, http: {paths: [" + path + "]}}]", "", false, false},
		"none is recorded": {"", "[{http: {paths: [" + path + "]}}]", "", false, false},
	} {
		s := Read(application("app"), parse(t, header+"metadata: {name: i, uid: '7', annotations: {standby.turnout.dev/app: '"+tt.record+
			"'}}\nspec: {rules: "+tt.rules+"}"))
		if pointer, rooted, found := standbyRule(s); pointer != tt.pointer || rooted != tt.rooted || found != tt.exists {
			t.Errorf("%s: found %v at %q, rooted %v", name, found, pointer, rooted)
		}
	}
}

// A recorded host stays until a migration changes it everywhere at once. Nothing is attached if
// nothing routes to the live colour.
func TestAttachPatchKeepsTheRecordedHost(t *testing.T) {
	const live = "defaultBackend: {service: {name: app-blue-svc, port: {name: http}}}"
	s := Read(application("app"),
		parse(t, header+"metadata: {name: i, uid: '7', annotations: {standby.turnout.dev/app: old.example.com}}\nspec: {"+
			live+", rules: [{host: x}]}"))
	ops, err := AttachPatch(application("app"), s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"op":"add","path":"/spec/rules/-","value":{"host":"old.example.com",` +
		`"http":{"paths":[{"backend":{"service":{"name":"app-green-svc","port":{"name":"http"}}},"path":"/","pathType":"Prefix"}]}}}
{"op":"add","path":"/metadata/annotations/standby.turnout.dev~1app","value":"old.example.com"}`
	if diff := cmp.Diff(want, changes(t, s, ops)); diff != "" {
		t.Errorf("the patch (-want +got):\n%s", diff)
	}
	none := Read(application("app"), parse(t, header+"metadata: {name: i, uid: '7'}\nspec: {rules: [{host: x}]}"))
	if ops, err := AttachPatch(application("app"), none, v1alpha1.Green); ops != nil || err == nil ||
		!strings.Contains(err.Error(), "app-blue-svc") {
		t.Errorf("attaching without routes gives %v, %v", ops, err)
	}
}

func TestSameIgnoresReferencesThatWereAdded(t *testing.T) {
	const (
		root   = "{path: /, backend: {service: {name: app-green-svc, port: {name: http}}}}"
		admin  = "{path: /turnout-port-8080, backend: {service: {name: app-green-svc, port: {number: 8080}}}}"
		theirs = "{path: /x, backend: {service: {name: app-green-svc, port: {number: 8080}}}}"
	)
	one, both := standby(t, root), standby(t, root+", "+admin)
	if !Same(Read(application("app"), parse(t, ports)), both) || !Same(one, both) {
		t.Error("the attached rule counts as somebody's change")
	}
	if Same(both, one) || Same(one, standby(t, root+", "+theirs)) || Same(one, standby(t, strings.Replace(root, "green", "blue", 1))) {
		t.Error("somebody's change goes unnoticed")
	}
}

func TestSameComparesOnlyTheApplicationsOwnRoutes(t *testing.T) {
	before := Read(application("app"), parse(t, shared))
	for change, want := range map[[2]string]bool{
		{"web-green-svc", "web-blue-svc"}:      true,
		{"future: {kept: true}", "other: 1"}:   true,
		{"path: /api", "path: /v2"}:            false,
		{"{name: http}", "{name: https}"}:      false,
		{`uid: "7"`, `uid: "8"`}:               false,
		{"host: a.example.com", "host: b.org"}: false,
	} {
		after := Read(application("app"), parse(t, strings.Replace(shared, change[0], change[1], 1)))
		if got := Same(before, after); got != want {
			t.Errorf("%s for %s: same is %v", change[1], change[0], got)
		}
	}
}

func FuzzSwitchGoesThereAndBack(f *testing.F) {
	f.Add("a.example.com", "/", true)
	f.Add("", "/x", false)
	f.Fuzz(func(t *testing.T, host, path string, fallback bool) {
		bg := application("app")
		backend := func(c string, port int64) map[string]any {
			return map[string]any{"service": map[string]any{"name": "app-" + c + "-svc", "port": map[string]any{"number": port}}}
		}
		rule := func(host, c string) map[string]any {
			return map[string]any{"host": host, "http": map[string]any{"paths": []any{
				map[string]any{"path": path, "backend": backend(c, 80)},
				map[string]any{"path": path + "2", "backend": backend(c, 8080)},
			}}}
		}
		if host == bg.StandbyHost() {
			return
		}
		spec := map[string]any{"rules": []any{rule(host, "blue"), rule(bg.StandbyHost(), "green")}}
		if fallback {
			spec["defaultBackend"] = backend("blue", 8080)
		}
		i := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		i.SetAnnotations(map[string]string{v1alpha1.StandbyAnnotationPrefix + "app": bg.StandbyHost()})
		first := Read(bg, i)
		for _, to := range []v1alpha1.Color{v1alpha1.Green, v1alpha1.Blue} {
			ops, err := SwitchPatch(bg, Read(bg, i), to)
			if err != nil {
				t.Fatal(err)
			}
			i = i.DeepCopy()
			for _, op := range ops {
				if op.Op != "test" {
					apply(t, i.Object, op)
				}
			}
			if got := Read(bg, i); got.Live() != to || !got.Attached(to.Other()) {
				t.Fatalf("after the switch to %s %q is live, the standby is %v", to, got.Live(), got.Standby)
			}
		}
		if !Same(first, Read(bg, i)) {
			t.Error("two switches do not lead back to the first routes")
		}
	})
}

// apply carries out an operation that replaces a text or adds something.
func apply(t *testing.T, object map[string]any, op Op) {
	t.Helper()
	data, err := json.Marshal(op.Value)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	var put func(at any, parts []string) any
	put = func(at any, parts []string) any {
		if len(parts) == 0 {
			return value
		}
		switch x := at.(type) {
		case map[string]any:
			key := unescape.Replace(parts[0])
			x[key] = put(x[key], parts[1:])
		case []any:
			if parts[0] == "-" {
				return append(x, value)
			}
			index, err := strconv.Atoi(parts[0])
			if err != nil {
				t.Fatal(err)
			}
			x[index] = put(x[index], parts[1:])
		}
		return at
	}
	put(object, strings.Split(op.Path, "/")[1:])
}

func TestReadOfTheLoadBalancersAddresses(t *testing.T) {
	t.Parallel()
	object := parse(t, "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {}\nstatus: {loadBalancer: {ingress: "+
		"[{ip: 10.1.2.3}, {hostname: lb.example.com}, {ip: 'fd12::1'}, {ip: x}]}}")
	if got := fmt.Sprint(Read(application("app"), object).Addresses); got != "[10.1.2.3 fd12::1]" {
		t.Errorf("the addresses are %s", got)
	}
}
