package record

import (
	"os"
	"reflect"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// tooLong lists the texts of a status that fit leaves longer than the schema allows: one
// such text fails the whole write. It counts the limits that it checked.
func tooLong(v reflect.Type, field, path string, s apiextensionsv1.JSONSchemaProps, seen *int) []string {
	switch v.Kind() { //nolint:exhaustive // numbers and the like have no size
	case reflect.Pointer:
		return tooLong(v.Elem(), field, path, s, seen)
	case reflect.Slice:
		if s.Items == nil || s.Items.Schema == nil {
			return nil
		}
		return tooLong(v.Elem(), field, path+"[]", *s.Items.Schema, seen)
	case reflect.String:
		if s.MaxLength == nil || v == reflect.TypeFor[v1alpha1.ShellCommand]() {
			return nil // Commands bounds them
		}
		*seen++
		most := int64(boundOf(reflect.New(v).Elem(), field).size)
		if n := int64(characters[field]); n > 0 {
			most = min(most, n)
		}
		if most > *s.MaxLength {
			return []string{path}
		}
	case reflect.Struct:
		var found []string
		for f := range v.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if property, ok := s.Properties[name]; ok && f.IsExported() {
				found = append(found, tooLong(f.Type, v.Name()+"."+f.Name, path+"."+name, property, seen)...)
			}
		}
		return found
	}
	return nil
}

func TestWhatFitsTheRecordFitsTheSchema(t *testing.T) {
	for kinds, status := range map[string]reflect.Type{
		"bluegreens": reflect.TypeFor[v1alpha1.BlueGreenStatus](), "releases": reflect.TypeFor[v1alpha1.ReleaseStatus](),
	} {
		data, err := os.ReadFile("../config/crd/turnout.dev_" + kinds + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, path := range tooLong(status, "", kinds+": status", crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"], &seen) {
			t.Errorf("%s can be longer than the schema allows: limit it in fit.go", path)
		}
		if seen < 2 {
			t.Errorf("only %d limits of the schema of %s were checked", seen, kinds)
		}
	}
}

func TestALockWithAReasonOfAnyScriptFits(t *testing.T) {
	for _, reason := range []string{strings.Repeat("a", 2000), strings.Repeat("鎖", 2000), strings.Repeat("<", 2000)} {
		s := v1alpha1.BlueGreenStatus{Lock: &v1alpha1.Lock{Reason: reason}}
		if err := FitApplication(&s); err != nil {
			t.Fatal(err)
		}
		if n := len([]rune(s.Lock.Reason)); n > v1alpha1.MaxLockReason || n < 300 {
			t.Errorf("%d characters of %.10s… are kept", n, reason)
		}
	}
}
