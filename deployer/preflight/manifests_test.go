package preflight

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// readManifests returns the facts of manifests, as if somebody had applied them.
func readManifests(t *testing.T, name string) Facts {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f := Facts{
		App: &v1alpha1.BlueGreen{}, Services: map[string]*corev1.Service{}, Configs: map[string]Config{},
		Templates: map[v1alpha1.Color]Template{}, Ingress: Ingress{Class: "gce"},
	}
	var ingress *unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		object.SetNamespace("shop")
		into := func(typed any) {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
				t.Fatal(err)
			}
		}
		switch object.GetKind() {
		case "BlueGreen":
			into(f.App)
		case "Service":
			s := &corev1.Service{}
			into(s)
			f.Services[s.Name] = s
		case "Deployment":
			d := &appsv1.Deployment{}
			into(d)
			color := v1alpha1.Color(d.Spec.Template.Labels["version"])
			f.Templates[color] = Template{Deployment: d.Name, Spec: d.Spec.Template.Spec}
		case "BackendConfig":
			spec, _, _ := unstructured.NestedMap(object.Object, "spec")
			f.Configs[object.GetName()] = Config{Exists: true, Spec: spec}
		case "Ingress":
			ingress = object
		default:
			t.Fatalf("%s has an object of the unexpected kind %s", name, object.GetKind())
		}
	}
	f.Routes = route.Read(f.App, ingress)
	return f
}

// Manifests of public projects, rewritten: their findings, and what happens to live users if a
// person follows the advice.
func TestManifestsOfOthers(t *testing.T) {
	t.Parallel()
	const live, idle, protocolField = "service shop/my-python-app-blue-svc", "service shop/my-python-app-green-svc",
		"metadata.annotations[cloud.google.com/app-protocols]"
	// Other tests cover what every one of these lacks.
	others := []string{"Address", "PreStop", "Grace"}
	tests := []struct {
		file    string
		want    []found
		says    []string
		notSays []string
	}{
		{file: "metrics-port-first.yaml"},
		{
			file: "probe-behind-a-sidecar.yaml",
			want: []found{
				{v1alpha1.SeverityWarning, "Draining", live, configField},
				{v1alpha1.SeverityWarning, "HealthCheck", live, configField},
				{v1alpha1.SeverityWarning, "Draining", idle, configField},
				{v1alpha1.SeverityWarning, "HealthCheck", idle, configField},
			},
			says: []string{
				"deployment my-python-app-blue has no readiness probe on port 8080", "asks /",
				`"healthCheck":{"port":8000,"requestPath":"/livez","type":"HTTP"}`,
			},
			notSays: []string{"copies its path"},
		},
		{
			file: "probe-on-the-admin-port.yaml",
			want: warning("HealthCheck", "backendconfig shop/orders", "spec.healthCheck.requestPath"),
			says: []string{
				"deployment my-python-app-blue has no readiness probe on port 8080",
				`-p '{"spec":{"healthCheck":{"port":9000,"requestPath":"/-/ready","type":"HTTP"}}}'`, "every Service that names backendconfig orders",
			},
			notSays: []string{"copies its path"},
		},
		{
			file: "https.yaml",
			want: warning("HealthCheck", "backendconfig shop/orders", "spec.healthCheck.requestPath"),
			says: []string{
				"the readiness probe of deployment my-python-app-blue asks /livez",
				`-p '{"spec":{"healthCheck":{"requestPath":"/livez","type":"HTTPS"}}}'`,
			},
		},
		{
			file: "app-protocols-differ.yaml",
			want: warning("ProtocolsUnlike", idle, protocolField),
			says: []string{
				"use HTTP for port 443 of this service, but it uses HTTP2 for that of service my-python-app-blue-svc",
				`kubectl annotate service my-python-app-green-svc -n shop --overwrite 'cloud.google.com/app-protocols={"grpc":"HTTP2"}'`,
			},
		},
		{
			file: "app-protocols-invalid.yaml",
			want: []found{{v1alpha1.SeverityError, "Protocol", live, protocolField}, {v1alpha1.SeverityError, "Protocol", idle, protocolField}},
			says: []string{`port "http" has the protocol "TCP"`, "HTTP, HTTPS and HTTP2", "correct it"},
		},
		{
			file: "no-backendconfig.yaml",
			want: []found{
				{v1alpha1.SeverityWarning, "Draining", live, configField},
				{v1alpha1.SeverityWarning, "HealthCheck", live, configField},
				{v1alpha1.SeverityWarning, "Draining", idle, configField},
				{v1alpha1.SeverityWarning, "HealthCheck", idle, configField},
			},
			says: []string{`"spec":{"connectionDraining":{"drainingTimeoutSec":60},"healthCheck":{"requestPath":"/livez","type":"HTTP"}}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			var got []found
			var text strings.Builder
			for _, f := range Check(readManifests(t, tt.file)) {
				if !slices.Contains(others, f.Reason) {
					got = append(got, found{f.Severity, f.Reason, f.Object, f.Field})
					text.WriteString(f.Advice().Lines() + "\n")
					expectCommands(t, f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, text.String())
			}
			for _, part := range tt.says {
				if !strings.Contains(text.String(), part) {
					t.Errorf("the messages are\n%swant in them %q", text.String(), part)
				}
			}
			for _, part := range tt.notSays {
				if strings.Contains(text.String(), part) {
					t.Errorf("the messages are\n%sdo not want in them %q", text.String(), part)
				}
			}
		})
	}
}

// Two findings about one application must not advise two different BackendConfigs of one name:
// applying the second would lose the first.
func TestOneBackendConfigIsAdvised(t *testing.T) {
	t.Parallel()
	advised := map[string]bool{}
	for _, f := range Check(readManifests(t, "no-backendconfig.yaml")) {
		for _, c := range f.Commands {
			if object, _, found := strings.Cut(string(c), " | kubectl apply"); found {
				advised[object] = true
			}
		}
	}
	if len(advised) != 1 {
		t.Errorf("these are advised: %v", advised)
	}
}
