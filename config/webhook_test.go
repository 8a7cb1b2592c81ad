package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/config"
)

// TestTheWebhooksObjectsAreTheFolder: only the host, the namespace and the label differ.
func TestTheWebhooksObjectsAreTheFolder(t *testing.T) {
	t.Parallel()
	for file, way := range map[string]config.Webhook{
		"webhook/ingress.yaml": {Host: "hooks.acme.com"},
		"webhook/gateway.yaml": {Host: "hooks.acme.com", Gateway: true},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want []*unstructured.Unstructured
		for document := range strings.SplitSeq(strings.ReplaceAll(string(text), "turnout.example.com", "hooks.acme.com"), "\n---\n") {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), object); err != nil {
				t.Fatal(err)
			}
			object.SetNamespace("turnout")
			object.SetLabels(map[string]string{"app.kubernetes.io/name": "turnout"})
			want = append(want, object)
		}
		got, err := way.Objects()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(texts(t, want), texts(t, got)); diff != "" || len(got) < 2 {
			t.Errorf("%s (-file +installed)\n%s", file, diff)
		}
	}
	for _, host := range []string{"", "turnout", "https://a.b/c", "a b.com", "-.com"} {
		if objects, err := (config.Webhook{Host: host}).Objects(); err == nil || !strings.Contains(err.Error(), "a domain name") {
			t.Errorf("%q: %v, %v", host, objects, err)
		}
	}
}
