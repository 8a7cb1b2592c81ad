package v1alpha1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// constantsOf are the values of a type's constants; without a type, those of the block with
// a constant of that name.
func constantsOf(t *testing.T, typ, block string) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			var values []string
			has := false
			for _, spec := range group.Specs {
				spec := spec.(*ast.ValueSpec)
				named, _ := spec.Type.(*ast.Ident)
				has = has || spec.Names[0].Name == block
				literal, ok := spec.Values[0].(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING || (typ == "") != (named == nil) || named != nil && named.Name != typ {
					continue
				}
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
			if typ != "" || has {
				all = append(all, values...)
			}
		}
	}
	return all
}

// allowed are the values that the schema of a release allows in a field of its status.
func allowed(t *testing.T, path ...string) []string {
	t.Helper()
	data, err := os.ReadFile("../../config/crd/turnout.dev_releases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	for _, name := range path {
		schema = schema.Properties[name]
	}
	var values []string
	for _, v := range schema.Enum {
		value, err := strconv.Unquote(string(v.Raw))
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return values
}

// The schema refuses unknown words, and then the write fails: it must have all of them.
func TestTheSchemaAllowsEveryWordOfARelease(t *testing.T) {
	t.Parallel()
	because := constantsOf(t, "WaitingBecause", "")
	for _, reason := range constantsOf(t, "", "ReasonReady") {
		if reason != ReasonReady {
			because = append(because, reason)
		}
	}
	for path, want := range map[string][]string{
		"waiting.for":            constantsOf(t, "WaitingFor", ""),
		"waiting.because":        because,
		"failure.waited.for":     constantsOf(t, "WaitingFor", ""),
		"failure.waited.because": because,
		"failure.because":        constantsOf(t, "FailureBecause", ""),
	} {
		got := allowed(t, strings.Split(path, ".")...)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("status.%s allows (-want +got):\n%s", path, diff)
		}
	}
}
