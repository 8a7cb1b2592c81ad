package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/config"
)

var image = "registry.example/turnout@sha256:" + strings.Repeat("0a", 32)

// TestInstallIsTheFolder: only the image differs, which has a digest.
func TestInstallIsTheFolder(t *testing.T) {
	t.Parallel()
	got, err := config.Objects(config.Options{Image: image})
	if err != nil {
		t.Fatal(err)
	}
	want := build(t)
	for _, object := range want {
		if strings.HasPrefix(object.GetAPIVersion(), "admissionregistration") {
			object.SetNamespace("") // kustomize sets one, which this kind cannot have
		}
	}
	if diff := cmp.Diff(texts(t, want), texts(t, got), cmp.Transformer("image", func(s string) string {
		return strings.NewReplacer(config.Image+":unreleased", "IMAGE", image, "IMAGE").Replace(s)
	})); diff != "" {
		t.Errorf("the installed objects (-kustomize build config +binary)\n%s", diff)
	}
	if !slices.ContainsFunc(texts(t, got), func(text string) bool { return strings.Contains(text, "image: "+image+"\n") }) {
		t.Error("no container runs the image")
	}
}

// TestInstallOfSomeNamespaces: the two parts together have everything that Turnout needs.
func TestInstallOfSomeNamespaces(t *testing.T) {
	t.Parallel()
	wide, own, err := config.Parts(config.Options{Image: image, Namespaces: []string{"shop", "web"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range wide {
		if object.GetNamespace() != "" {
			t.Errorf("the administrator's part has %s %s of namespace %s", object.GetKind(), object.GetName(), object.GetNamespace())
		}
	}
	count := map[string]int{}
	for _, object := range own {
		count[object.GetNamespace()+" "+object.GetKind()]++
		text := texts(t, []*unstructured.Unstructured{object})[0]
		switch {
		case object.GetKind() == "Deployment" && !strings.Contains(text, "name: TURNOUT_NAMESPACES\n          value: shop,web\n"):
			t.Errorf("the Deployment serves other namespaces:\n%s", text)
		case object.GetKind() == "Deployment" && !strings.Contains(text, "image: "+image+"\n"):
			t.Errorf("the Deployment runs another image:\n%s", text)
		case object.GetKind() == "RoleBinding" && !strings.Contains(text, "name: turnout\n  namespace: turnout\n"):
			t.Errorf("the rights in %s belong to another account:\n%s", object.GetNamespace(), text)
		}
	}
	want := map[string]int{
		"turnout Deployment": 1, "turnout NetworkPolicy": 1, "turnout PodDisruptionBudget": 1, "turnout Role": 1, "turnout RoleBinding": 1,
		"turnout Service": 1, "turnout ServiceAccount": 1, "shop Role": 1, "shop RoleBinding": 1, "web Role": 1, "web RoleBinding": 1,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("what belongs to namespaces (-want +got)\n%s", diff)
	}
}

func TestInstallNeedsADigest(t *testing.T) {
	t.Parallel()
	for _, image := range []string{
		"", "turnout", "turnout:v1", "@sha256:" + strings.Repeat("0", 64), "turnout@sha256:00", "turnout@md5:" + strings.Repeat("0", 64),
	} {
		if _, err := config.Objects(config.Options{Image: image}); err == nil || !strings.Contains(err.Error(), "by its digest") {
			t.Errorf("%q: %v, want an error about the missing digest", image, err)
		}
	}
}

func texts(t *testing.T, all []*unstructured.Unstructured) []string {
	t.Helper()
	var lines []string
	for _, object := range all {
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(text))
	}
	return lines
}
