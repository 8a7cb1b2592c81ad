package v1alpha1

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// bounded are rules that limit the names and values of a map: the schema has no other
// means.
var bounded = regexp.MustCompile(`^self\.all\(k, size\(k\) <= \d+ && size\(self\[k\]\) <= \d+\)$`)

// unbounded lists the parts of a schema without a limit.
func unbounded(path string, s apiextensionsv1.JSONSchemaProps) []string {
	var found []string
	switch s.Type {
	case "string":
		if s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time" {
			found = append(found, path+": a string without a MaxLength")
		}
	case "array":
		if s.MaxItems == nil {
			found = append(found, path+": a list without MaxItems")
		}
		if s.Items != nil && s.Items.Schema != nil {
			found = append(found, unbounded(path+"[]", *s.Items.Schema)...)
		}
	case "object":
		for name, property := range s.Properties {
			found = append(found, unbounded(path+"."+name, property)...)
		}
		if s.AdditionalProperties == nil {
			break
		}
		if s.MaxProperties == nil {
			found = append(found, path+": a map without MaxProperties")
		}
		rules := false
		for _, rule := range s.XValidations {
			rules = rules || bounded.MatchString(rule.Rule)
		}
		if !rules {
			found = append(found, path+": a map without a rule that bounds its names and values")
		}
	}
	if s.XPreserveUnknownFields != nil || s.XIntOrString {
		found = append(found, path+": anything goes")
	}
	return found
}

// mute lists the parts of a schema that refuse a value without a message: for a pattern the
// API server shows the expression, and for a rule without a message the rule.
func mute(path string, s apiextensionsv1.JSONSchemaProps) []string {
	var found []string
	if s.Pattern != "" {
		found = append(found, path+": a pattern; make it a rule, self.matches(r'…'), with a message")
	}
	for _, rule := range s.XValidations {
		if rule.Message == "" {
			found = append(found, path+": a rule without a message: "+rule.Rule)
		}
	}
	for name, property := range s.Properties {
		found = append(found, mute(path+"."+name, property)...)
	}
	if s.Items != nil && s.Items.Schema != nil {
		found = append(found, mute(path+"[]", *s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		found = append(found, mute(path+"{}", *s.AdditionalProperties.Schema)...)
	}
	return found
}

func TestEveryRefusalOfAnApplicationHasAMessage(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../config/crd/turnout.dev_bluegreens.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	if n := len(crd.Spec.Versions); n != 1 || len(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties) < 10 {
		t.Fatalf("the schema has %d versions, want one to check", n)
	}
	for _, version := range crd.Spec.Versions {
		for _, what := range mute("BlueGreen.spec", version.Schema.OpenAPIV3Schema.Properties["spec"]) {
			t.Error(what)
		}
	}
}

// Whoever writes a spec decides how large it is, and everybody reads it.
func TestEverythingOfASpecHasAnEnd(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../config/crd/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("found %v: %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		if n := len(crd.Spec.Versions); n != 1 || len(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties) == 0 {
			t.Fatalf("the schema of %s has %d versions, and what is in their spec cannot be seen", file, n)
		}
		for _, version := range crd.Spec.Versions {
			for _, what := range unbounded(crd.Spec.Names.Kind+".spec", version.Schema.OpenAPIV3Schema.Properties["spec"]) {
				t.Error(what)
			}
		}
	}
}
