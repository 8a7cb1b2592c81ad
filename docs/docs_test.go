package docs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/controlplane"
)

// example is a BlueGreen as a page shows it.
type example struct{ page, text string }

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// examples are the BlueGreens of README.md and of every page in docs/.
func examples(t *testing.T) []example {
	t.Helper()
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []example
	for _, page := range append([]string{readme}, pages...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(block[1], "kind: BlueGreen") {
				found = append(found, example{page, block[1]})
			}
		}
	}
	if len(found) < 3 {
		t.Fatalf("the pages have %d BlueGreens: they are written otherwise by now", len(found))
	}
	return found
}

// onlyExample is the BlueGreen of a page that has one.
func onlyExample(t *testing.T, page string) example {
	t.Helper()
	all := slices.DeleteFunc(examples(t), func(e example) bool { return e.page != page })
	if len(all) != 1 {
		t.Fatalf("%s has %d BlueGreens, want one", page, len(all))
	}
	return all[0]
}

// fullExample is the one that shows every field.
func fullExample(t *testing.T) example { return onlyExample(t, "bluegreen.md") }

var (
	// refused matches a field that stands in a comment because this version
	// refuses it.
	refused = regexp.MustCompile(`(?m)^(\s*)# (\w+: .*# refused by this version)`)
	// instead matches a field that stands in a comment because another of the
	// example is there in its place.
	instead = regexp.MustCompile(`(?m)^(\s*)# (\w+: .*# no default, (?:instead of|with gateway))`)
)

// withRefused is the example with the refused fields set.
func (e example) withRefused() string { return refused.ReplaceAllString(e.text, "$1$2") }

// withAll is the example with every field set, those that exclude each other
// included.
func (e example) withAll() string { return instead.ReplaceAllString(e.withRefused(), "$1$2") }

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return object
}

// specSchema is the schema of a BlueGreen's spec.
func specSchema(t *testing.T) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	data, err := os.ReadFile("../config/crd/turnout.dev_bluegreens.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
}

// visit calls back for every field of a schema that has no fields of its own,
// with the value that an object has for it.
func visit(path string, s apiextensionsv1.JSONSchemaProps, value any,
	leaf func(path string, s apiextensionsv1.JSONSchemaProps, value any),
) {
	if s.Items != nil && s.Items.Schema != nil && len(s.Items.Schema.Properties) > 0 {
		list, _ := value.([]any)
		for i := range max(1, len(list)) {
			var item any
			if i < len(list) {
				item = list[i]
			}
			visit(path+"[]", *s.Items.Schema, item, leaf)
		}
		return
	}
	if len(s.Properties) == 0 {
		leaf(path, s, value)
		return
	}
	fields, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		visit(strings.TrimPrefix(path+"."+name, "."), s.Properties[name], fields[name], leaf)
	}
}

func TestTheFullExampleShowsEveryFieldOfTheSchema(t *testing.T) {
	spec := parse(t, fullExample(t).withAll())["spec"]
	shown := map[string]bool{} // an entry of a list need not have what another one shows
	visit("", specSchema(t), spec, func(path string, _ apiextensionsv1.JSONSchemaProps, value any) {
		shown[path] = shown[path] || value != nil
	})
	for path, is := range shown {
		if !is {
			t.Errorf("the full example of docs/bluegreen.md does not show spec.%s", path)
		}
	}
}

func TestTheDefaultsOfTheFullExampleAreTheSchemas(t *testing.T) {
	full := fullExample(t)
	comments := commentsOf(full.text)
	visit("", specSchema(t), parse(t, full.withAll())["spec"], func(path string, s apiextensionsv1.JSONSchemaProps, value any) {
		if s.Default == nil {
			name := path[strings.LastIndex(path, ".")+1:]
			if !slices.ContainsFunc(comments[name], saysWithout.MatchString) {
				t.Errorf("spec.%s has no default in the schema, and its comment does not say what it is without: %q", path, comments[name])
			}
			return
		}
		want := string(s.Default.Raw)
		if text := ""; json.Unmarshal(s.Default.Raw, &text) == nil {
			want = text
		}
		if got := fmt.Sprint(value); got != want {
			t.Errorf("spec.%s is shown as %s, the default is %s", path, got, want)
		}
	})
}

// saysWithout matches a comment that says what a field is without a value.
var saysWithout = regexp.MustCompile(`^(required|default: |no default|refused)`)

// commentsOf returns the comments of the lines of each field, by its last name.
// inline matches a field with one field of its own in the same line, or with a list of
// what has two, or others, before fields that have a default.
var inline = regexp.MustCompile(`^\s*# \w+: \{(\w+): (?:[^,{}]*|\[\{(\w+): \w+, (\w+): \w+\}, \{\w+: \w+, (\w+): \w+\}\](?:, \w+: \w+)*)\}`)

func commentsOf(text string) map[string][]string {
	field := regexp.MustCompile(`^[\s#-]*(\w+):.*?# (.*)$`)
	found := map[string][]string{}
	for line := range strings.Lines(text) {
		if m := field.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			found[m[1]] = append(found[m[1]], m[2])
			for _, name := range inline.FindStringSubmatch(line) {
				found[name] = append(found[name], m[2])
			}
		}
	}
	return found
}

func TestTheDefaultsThatAreMadeOfOtherFieldsAreAsShown(t *testing.T) {
	var least, full v1alpha1.BlueGreen
	for text, into := range map[string]*v1alpha1.BlueGreen{leastExample(t).text: &least, fullExample(t).text: &full} {
		if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	type names struct {
		Blue, Green     v1alpha1.Side
		Ingress, Bucket string
	}
	want := names{least.Side(v1alpha1.Blue), least.Side(v1alpha1.Green), least.IngressName(), least.SourceBucket()}
	got := names{full.Spec.Blue, full.Spec.Green, full.Spec.Ingress.Name, full.Spec.Build.Source.Bucket}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the full example differs from what the least one means (-means +shows):\n%s", diff)
	}
}

// leastExample is the shortest BlueGreen.
func leastExample(t *testing.T) example {
	t.Helper()
	least := onlyExample(t, readme)
	for _, e := range examples(t) {
		if len(e.text) < len(least.text) {
			t.Fatalf("%s has a shorter BlueGreen than %s:\n%s", e.page, readme, e.text)
		}
	}
	return least
}

func TestTheApiServerAcceptsEveryExample(t *testing.T) {
	kube := startKube(t)
	for i, e := range examples(t) {
		for _, text := range slices.Compact([]string{e.text, e.withRefused()}) {
			object := &unstructured.Unstructured{Object: parse(t, text)}
			object.SetNamespace(fmt.Sprintf("example-%d", i))
			if err := client.IgnoreAlreadyExists(kube.Create(t.Context(),
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: object.GetNamespace()}})); err != nil {
				t.Fatal(err)
			}
			if err := kube.Create(t.Context(), object, client.FieldValidation("Strict")); err != nil {
				t.Errorf("%s: %v in\n%s", e.page, err, text)
				continue
			}
			if err := kube.Delete(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Without an address nothing is measured, and whoever copies an example would not know.
func TestEveryExampleHasAnAddress(t *testing.T) {
	for _, e := range examples(t) {
		if url, _, _ := unstructured.NestedString(parse(t, e.text), "spec", "url"); url == "" {
			t.Errorf("%s: no spec.url in\n%s", e.page, e.text)
		}
	}
}

func startKube(t *testing.T) client.Client {
	t.Helper()
	plane, err := controlplane.Start(context.WithoutCancel(t.Context()), controlplane.Options{CRDs: []string{"../config/crd"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Stop)
	kube, err := client.New(plane.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return kube
}
