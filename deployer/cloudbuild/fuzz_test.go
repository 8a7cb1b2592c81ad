package cloudbuild_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	yamlv3 "gopkg.in/yaml.v3"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

// Whatever a file contains, Parse reads it faithfully, or refuses it with a line.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/faults/*/*.yaml")
	if err != nil || len(files) < 30 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range append(files, "testdata/reference/cloudbuild.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("steps:\n- &b\n  name: d\n  timeout: 1.5s\n- <<: *b\n  wait_for: ['-']\nimages: [i]\noptions: {pubsubTopic: x, pool: {name: p}}\n")
	f.Add("a: &a [x]\nsteps: [*a, *a]\n")
	f.Add("steps: {<<: [1]}\n")
	f.Add("x: &x {<<: *x}\n<<: *x\n")
	f.Add("steps: {name: a}\nimages: i\nsecrets: {kmsKeyName: k, secretEnv: {T: aGk=}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := cloudbuild.Parse("f", []byte(text))
		if err != nil {
			mustNameALine(t, err)
			return
		}
		mustHaveRead(t, text, parsed)
		mustPrintToItself(t, parsed)
		for _, policy := range []cloudbuild.ClusterSteps{cloudbuild.Skip, cloudbuild.Fail, cloudbuild.Allow} {
			applied, err := parsed.Apply(policy)
			if err == nil {
				_, err = applied.Choose(request(), cloudbuild.ImageChoice{})
			}
			if err != nil {
				mustNameALine(t, err)
			}
		}
	})
}

func mustNameALine(t *testing.T, err error) {
	t.Helper()
	var bad *cloudbuild.FileError
	if !errors.As(err, &bad) || bad.Line < 1 || bad.Reason == "" || bad.Fix == "" {
		t.Fatalf("error %T %#v: %v", err, err, err)
	}
}

// mustHaveRead checks that every text of the build is in the file.
func mustHaveRead(t *testing.T, text string, f *cloudbuild.File) {
	t.Helper()
	var doc yamlv3.Node
	if err := yamlv3.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("read %v of what does not parse: %v", f.Build, err)
	}
	written := map[string]bool{"": true}
	var collect func(node *yamlv3.Node)
	collect = func(node *yamlv3.Node) {
		written[node.Value] = true
		for _, inner := range node.Content {
			collect(inner)
		}
	}
	collect(&doc)
	var check func(m protoreflect.Message)
	one := func(fd protoreflect.FieldDescriptor, value protoreflect.Value) {
		switch {
		case fd.Kind() == protoreflect.StringKind && !written[value.String()]:
			t.Fatalf("%s is %q, which is not in the file", fd.FullName(), value.String())
		case fd.Kind() == protoreflect.MessageKind && !fd.IsMap():
			check(value.Message())
		}
	}
	check = func(m protoreflect.Message) {
		m.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			switch {
			case fd.IsMap():
				value.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
					if !written[key.String()] {
						t.Fatalf("%s has the key %q, which is not in the file", fd.FullName(), key.String())
					}
					one(fd.MapValue(), value)
					return true
				})
			case fd.IsList():
				for i := range value.List().Len() {
					one(fd, value.List().Get(i))
				}
			default:
				one(fd, value)
			}
			return true
		})
	}
	check(f.Build.ProtoReflect())
}

// mustPrintToItself checks that the build, printed as JSON and so as YAML, parses to itself.
func mustPrintToItself(t *testing.T, f *cloudbuild.File) {
	t.Helper()
	printed, err := protojson.Marshal(f.Build)
	if err != nil {
		t.Fatal(err)
	}
	if len(printed) > 200<<10 { // aliases, written out
		return
	}
	again, err := cloudbuild.Parse("f", printed)
	if err != nil {
		t.Fatalf("%v in\n%s", err, printed)
	}
	if !proto.Equal(f.Build, again.Build) {
		t.Fatalf("%v\nbecame\n%v", f.Build, again.Build)
	}
}

// Whatever a step runs, Turnout finishes looking at it, and the remaining build has only steps of
// the file.
func FuzzScript(f *testing.F) {
	for _, seed := range []string{
		"kubectl apply -f x", "bash -c \"bash -c 'kubectl apply'\"", "cat <<EOF | sh\nkubectl apply\nEOF", "alias k='kubectl x'\nk y",
		"alias k=k\nk y",
		"ls | xargs -I{} env -S 'timeout 5 kubectl' apply", "${X:-kubectl} apply", "f() { f; }; f", "trap 'trap \"trap x y\" z' EXIT", "flock -c",
		"su -c", "find -exec", "env -S",
		"gcloud run deploy", "gcloud container", "kubectl", "#!/bin/env -S", "echo `echo \\`kubectl\\``", "$((1+1)) [[ a && b ]] <(x) $'a\\n'",
		"f() { local a=$1; shift; \"${@:2}\" \"$*\" ${1:-x}; }; f 1 kubectl get", "set -- a b; shift 9; $1", "cat >a <<E\n$1\nE\nsh a b",
		"for i in a b; do $i; done",
		"parallel -j2 'x {}' ::: a", "xargs -rI{} -n1 sh -c '{}'", "f() { g; g; }; g() { f; f; }; f", "eval eval eval a b", "su - x -c",
		"sudo -nu",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		whole := &cloudbuild.File{Name: "f", Build: parse(t, steps("a b")).Build}
		whole.Build.Steps[0].Name, whole.Build.Steps[0].Args = "ubuntu", []string{"bash", "-c", text}
		whole.Build.Steps[1].Script, whole.Build.Steps[1].Args = text, nil
		out, err := whole.Apply(cloudbuild.Skip)
		if err != nil {
			var bad *cloudbuild.FileError
			if !errors.As(err, &bad) || bad.Fix == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		for _, step := range out.Build.GetSteps() {
			if id := step.GetId(); id != "a" && id != "b" {
				t.Fatalf("step %v", step)
			}
		}
	})
}

// No text becomes longer than its limit.
func FuzzExpand(f *testing.F) {
	f.Add("${_A//x/$_B}", "$_B$_B", "xx")
	f.Add("${_A:-${_B:0:3}}$$_A", "", "${_A}")
	f.Add("${#_A}${_A/#x/y}${_A%%*}", "x", "")
	f.Add("${_A#$_B}", "x", "\x8c ") // once crashed the process
	f.Fuzz(func(t *testing.T, text, a, b string) {
		const limit = 500
		out, _, err := cloudbuild.Expand(text, map[string]string{"_A": a, "_B": b}, limit)
		var failed *cloudbuild.ExpandError
		if err != nil && (!errors.As(err, &failed) || failed.Fix == "") || len(out) > limit {
			t.Fatalf("%d bytes, error %v", len(out), err)
		}
		if !strings.Contains(text, "$") && err == nil && out != text {
			t.Fatalf("%q became %q", text, out)
		}
	})
}
