package route

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
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

// shared serves two applications, in every way an Ingress can name a Service.
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
    http: {paths: [{path: /api, backend: {service: {name: app-blue-svc, port: {number: 80}}}}, {path: /, backend: {service: {name: web-green-svc, port: {number: 80}}}}]}
  - host: standby-u-1.invalid
    http: {paths: [{path: /, backend: {service: {name: app-green-svc, port: {number: 80}}}}]}
  - host: web.invalid
    http: {paths: [{path: /, backend: {service: {name: web-blue-svc, port: {number: 80}}}}]}
  - host: bucket.example.com
    http: {paths: [{path: /, backend: {resource: {kind: StorageBucket, name: x}}}]}
`

func TestReadTellsUsersFromStandbyAndOneApplicationFromAnother(t *testing.T) {
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
	if _, err := AttachPatch(application("app"), taken, v1alpha1.Green); err == nil || !strings.Contains(err.Error(), "spec.ingress.standbyHost") {
		t.Errorf("attaching under a taken host is %v", err)
	}
}

// changes are the operations after the guard, as JSON lines.
func changes(t *testing.T, s State, ops []Op) string {
	t.Helper()
	if len(ops) < 2 || ops[0].Op != "test" || ops[0].Path != "/metadata/uid" || ops[0].Value != s.UID || ops[1].Op != "test" || ops[1].Path != "/spec" {
		t.Fatalf("the patch does not begin with its guard: %v", ops)
	}
	if diff := cmp.Diff(s.spec, ops[1].Value); diff != "" {
		t.Errorf("the guard does not test the spec as read:\n%s", diff)
	}
	var lines []string
	for _, op := range ops[2:] {
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
{"op":"replace","path":"/spec/rules/1/http/paths/0/backend/service/name","value":"app-blue-svc"}`
	if diff := cmp.Diff(want, changes(t, s, ops)); diff != "" {
		t.Errorf("the patch (-want +got):\n%s", diff)
	}
	if _, kept := s.spec["future"]; !kept {
		t.Error("a field that is not known got lost from the guard")
	}
	if ops, err := SwitchPatch(application("app"), s, v1alpha1.Blue); ops != nil || err != nil {
		t.Errorf("a switch to what is live is %v, %v", ops, err)
	}
	if _, err := SwitchPatch(application("none"), Read(application("none"), parse(t, shared)), v1alpha1.Green); err == nil {
		t.Error("a switch of an application without routes is no error")
	}
}

func TestAttachPatch(t *testing.T) {
	rule := `{"op":"add","path":"/spec/rules/-","value":{"host":"standby-u-1.invalid","http":{"paths":[{"backend":{"service":{"name":"app-green-svc","port":{"name":"http"}}},"path":"/","pathType":"Prefix"}]}}}`
	note := `{"op":"add","path":"/metadata/annotations/standby.turnout.dev~1app","value":"standby-u-1.invalid"}`
	live := "defaultBackend: {service: {name: app-blue-svc, port: {name: http}}}"
	tests := []struct{ name, ingress, want string }{
		{"rules and annotations", "metadata: {name: i, uid: '7', annotations: {x: z}}\nspec: {" + live + ", rules: [{host: x}]}", rule + "\n" + note},
		{"no annotations", "metadata: {name: i, uid: '7'}\nspec: {" + live + ", rules: [{host: x}]}", rule + "\n" + `{"op":"add","path":"/metadata/annotations","value":{}}` + "\n" + note},
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
		t.Errorf("attaching what is attached is %v, %v", ops, err)
	}
}

func TestAttachTurnsAStandbyRuleThatNamesTheLiveColour(t *testing.T) {
	text := strings.Replace(shared, "app-green-svc", "app-blue-svc", 1)
	s := Read(application("app"), parse(t, text))
	ops, err := AttachPatch(application("app"), s, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"op":"replace","path":"/spec/rules/1/http/paths/0/backend/service/name","value":"app-green-svc"}`
	if got := changes(t, s, ops); got != want {
		t.Errorf("the patch is %s", got)
	}
}

func TestSameMindsOnlyTheApplicationsOwnRoutes(t *testing.T) {
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
		backend := func(c string) map[string]any {
			return map[string]any{"service": map[string]any{"name": "app-" + c + "-svc", "port": map[string]any{"number": int64(80)}}}
		}
		rule := func(host, c string) map[string]any {
			return map[string]any{"host": host, "http": map[string]any{"paths": []any{map[string]any{"path": path, "backend": backend(c)}}}}
		}
		if host == bg.StandbyHost() {
			return
		}
		spec := map[string]any{"rules": []any{rule(host, "blue"), rule(bg.StandbyHost(), "green")}}
		if fallback {
			spec["defaultBackend"] = backend("blue")
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
			for _, op := range ops[2:] {
				replace(t, i.Object, op)
			}
			if got := Read(bg, i); got.Live() != to || !got.Attached(to.Other()) {
				t.Fatalf("after the switch to %s live is %q, standby %v", to, got.Live(), got.Standby)
			}
		}
		if !Same(first, Read(bg, i)) {
			t.Error("there and back is not where it began")
		}
	})
}

// replace carries out an operation that replaces a text.
func replace(t *testing.T, object map[string]any, op Op) {
	t.Helper()
	var at any = object
	parts := strings.Split(op.Path, "/")[1:]
	for _, p := range parts[:len(parts)-1] {
		switch x := at.(type) {
		case map[string]any:
			at = x[p]
		case []any:
			at = x[slices.Index([]string{"0", "1"}, p)]
		}
	}
	at.(map[string]any)[parts[len(parts)-1]] = op.Value
}
