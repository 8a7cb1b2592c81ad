package preflight

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// routed are the facts of an application with a route whose first rule has these fields.
func routed(t *testing.T, rule string) Facts {
	t.Helper()
	text := "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nspec:\n  rules:\n  - " + strings.ReplaceAll(rule, "\n", "\n    ")
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), u); err != nil {
		t.Fatal(err)
	}
	f := onGateway()
	parents := f.Routes.Gateway.Parents
	f.Routes = route.ReadHTTPRoute(f.App, u, nil)
	f.Routes.Gateway.Parents = parents
	return f
}

// Each rule that keeps Turnout from moving users is found before a build, by its field, with the
// way out in words and as a command.
func TestRulesThatCannotBeWeighedAreRefusedBeforeABuild(t *testing.T) {
	t.Parallel()
	const ours = "{name: app-blue-svc, port: 80}"
	const edit = "kubectl edit httproute shop -n shop"
	for name, tt := range map[string]struct{ rule, reason, field, way string }{
		"nothing": {"backendRefs: [" + ours + "]", "", "", ""},
		"a third backend": {
			"backendRefs: [" + ours + ", {name: legacy-svc, port: 80}]",
			"ThirdBackend", "spec.rules[0].backendRefs[1]", "move it to a rule of its own, or remove it",
		},
		"a Service of another namespace": {
			"backendRefs: [" + ours + ", {name: app-green-svc, namespace: else, port: 80}]",
			"ThirdBackend", "spec.rules[0].backendRefs[1]",
			"names else/app-green-svc beside app-blue-svc and app-green-svc: move it to a rule of its own, or remove it",
		},
		"a backend that is no Service": {
			"backendRefs: [" + ours + ", {group: net.gke.io, kind: ServiceImport, name: far, port: 80}]",
			"Kind", "spec.rules[0].backendRefs[1]", "move it to a rule of its own",
		},
		"filters of a backend": {
			"backendRefs: [{name: app-blue-svc, port: 80, filters: [{type: RequestHeaderModifier}]}]",
			"BackendFilters", "spec.rules[0].backendRefs[0].filters", "move them to spec.rules[0].filters",
		},
		"a mirror to one of ours": {
			"backendRefs: [" + ours + "]\nfilters: [{type: RequestMirror, requestMirror: {backendRef: {name: app-green-svc, port: 80}}}]",
			"Mirror", "spec.rules[0].filters[0].requestMirror", "remove it",
		},
		"a mirror of somebody else's requests to one of ours": {
			"backendRefs: [{name: legacy-svc, port: 80}]\n" +
				"filters: [{type: RequestMirror, requestMirror: {backendRef: {name: app-blue-svc, port: 80}}}]",
			"Mirror", "spec.rules[0].filters[0].requestMirror", "remove it",
		},
		"session persistence": {
			"backendRefs: [" + ours + "]\nsessionPersistence: {sessionName: s}",
			"SessionPersistence", "spec.rules[0].sessionPersistence", "remove it",
		},
		"two ports": {
			"backendRefs: [" + ours + ", {name: app-green-svc, port: 81, weight: 0}]",
			"Ports", "spec.rules[0].backendRefs", "name the same port of both",
		},
		"Turnout's own header": {
			"backendRefs: [" + ours + "]\nmatches: [{headers: [{name: x-turnout-standby, value: x}]}]",
			"Header", "spec.rules[0].matches[0].headers", "remove it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want, got []found
			if tt.reason != "" {
				want = []found{{v1alpha1.SeverityError, tt.reason, "httproute shop/shop", tt.field}}
			}
			for _, finding := range refused(routed(t, tt.rule)) {
				got = append(got, found{finding.Severity, finding.Reason, finding.Object, finding.Field})
				if !strings.HasSuffix(finding.Message, tt.way) || len(finding.Commands) != 1 || string(finding.Commands[0]) != edit {
					t.Errorf("the way out is %q, by %v", finding.Message, finding.Commands)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
