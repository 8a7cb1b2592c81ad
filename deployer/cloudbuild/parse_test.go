package cloudbuild_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

const (
	someSteps = "steps:\n- name: docker\n  args: [build, .]\n"
	someImage = "images: [gcr.io/p/a]\n"
)

func TestBadFilesAreRefusedWithLineFieldAndWayOut(t *testing.T) {
	tests := []struct {
		name, text string
		line, step int
		field      string
		says       []string
	}{
		{"empty", "", 0, -1, "steps", []string{"there are none"}},
		{"only a comment", "# nothing\n", 0, -1, "steps", nil},
		{"null", "---\n...\n", 0, -1, "steps", nil},
		{"syntax", "steps:\n- name: 'docker\n", 0, -1, "", []string{"does not parse", "correct the YAML"}},
		{"tab", "steps:\n\t- name: docker\n", 2, -1, "", []string{"does not parse"}},
		{"a list", "- a\n", 1, -1, "", []string{"is a list where fields are expected"}},
		{"two documents", someSteps + someImage + "---\nsteps: []\n", 0, -1, "", []string{"more than one YAML document"}},
		{"no steps", "steps: []\n" + someImage, 1, -1, "steps", []string{"there are none"}},
		{"steps are text", "steps: docker\n", 1, 0, "", []string{"a single value where fields are expected"}},
		{"unknown field", someSteps + someImage + "foo: 1\n", 5, -1, "foo", []string{"is not a field"}},
		{
			"unknown field of a step", "steps:\n- name: a\n- name: b\n  id: Two\n  arg: [x]\n" + someImage, 5, 1, "arg",
			[]string{"steps[1] (Two)", "did you mean args?"},
		},
		{"numeric argument", "steps:\n- name: a\n  args:\n  - build\n  - 5\n" + someImage, 5, 0, "args[1]", []string{"quote it: '5'"}},
		{"boolean in env", "steps:\n- name: a\n  env: [yes]\n" + someImage, 3, 0, "env[0]", []string{"quote it: 'yes'"}},
		{"timeout as number", someSteps + someImage + "timeout: 600\n", 5, -1, "timeout", []string{"'600s'"}},
		{"timeout in minutes", someSteps + someImage + "timeout: 10m\n", 5, -1, "timeout", []string{"'600s'"}},
		{"step timeout", "steps:\n- name: a\n  timeout: 1h\n" + someImage, 3, 0, "timeout", nil},
		{"enum", someSteps + someImage + "options:\n  logging: cloud_logging_only\n", 6, -1, "options.logging", []string{"CLOUD_LOGGING_ONLY"}},
		{
			"both spellings", "steps:\n- name: a\n  id: x\n- name: b\n  waitFor: [x]\n  wait_for: [x]\n" + someImage, 6, 1, "wait_for",
			[]string{"given twice", "line 5"},
		},
		{"same key twice", someSteps + someImage + someImage, 5, -1, "images", []string{"given twice, first on line 4"}},
		{"source", someSteps + someImage + "source:\n  storageSource: {bucket: b, object: o}\n", 6, -1, "source", []string{"remove the field"}},
		{"source without content", someSteps + someImage + "source: {}\n", 5, -1, "source", nil},
		{"unsupported source", someSteps + someImage + "source: {developerConnectConfig: {}}\n", 5, -1, "source", nil},
		{
			"substitution key", someSteps + someImage + "substitutions:\n  _A: b\n  COMMIT_SHA: x\n", 7, -1, "substitutions.COMMIT_SHA",
			[]string{"_NAME"},
		},
		{"substitution value", someSteps + someImage + "substitutions:\n  _A: 5\n", 6, -1, "substitutions._A", []string{"quote it: '5'"}},
		{
			"unknown wait", "steps:\n- name: a\n  waitFor: [later]\n- name: b\n  id: later\n" + someImage, 3, 0, "waitFor",
			[]string{"no step above", `"later"`},
		},
		{"id twice", "steps:\n- name: a\n  id: x\n- name: b\n  id: x\n" + someImage, 5, 1, "id", []string{"twice"}},
		{"step without a name", "steps:\n- args: [x]\n" + someImage, 2, 0, "name", []string{"is missing"}},
		{"null step", "steps:\n-\n" + someImage, 2, -1, "steps[0]", []string{"is empty"}},
		{"remote only", "remoteConfig: {uri: x}\n" + someImage, 0, -1, "steps", nil},
		{"alias of itself", "steps: &a [*a]\n", 1, 0, "", []string{"is a list where fields are expected"}},
		{"huge", "#" + strings.Repeat("x", 1<<20), 0, -1, "", []string{"limit"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := cloudbuild.Parse("ci/cloudbuild.yaml", []byte(test.text))
			var bad *cloudbuild.FileError
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			if bad.Line == 0 || test.line != 0 && bad.Line != test.line || test.field != "" && bad.Field != test.field || bad.Step != test.step {
				t.Errorf("line %d, step %d, field %q of %v", bad.Line, bad.Step, bad.Field, err)
			}
			for _, want := range append(test.says, "ci/cloudbuild.yaml") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestBothSpellingsMeanTheSame(t *testing.T) {
	camel := parse(t, "steps:\n- name: a\n  id: x\n- name: b\n  waitFor: ['-']\n  allowFailure: true\nimages: [i]\noptions: {machineType: "+
		"E2_HIGHCPU_8, diskSizeGb: 100}\nqueueTtl: 60s\n")
	snake := parse(t, "steps:\n- name: a\n  id: x\n- name: b\n  wait_for: ['-']\n  allow_failure: true\nimages: [i]\noptions: "+
		"{machine_type: E2_HIGHCPU_8, disk_size_gb: '100'}\nqueue_ttl: 60s\n")
	if !proto.Equal(camel.Build, snake.Build) {
		t.Errorf("%v\nis not\n%v", camel.Build, snake.Build)
	}
}

func TestAnchorsAndMergesAreFollowed(t *testing.T) {
	f := parse(t, "steps:\n- &base\n  name: docker\n  env: [A=b]\n- <<: *base\n  args: [push]\nimages: [i]\n")
	if len(f.Build.GetSteps()) != 2 || f.Build.GetSteps()[1].GetName() != "docker" || f.Build.GetSteps()[1].GetEnv()[0] != "A=b" {
		t.Errorf("steps %v", f.Build.GetSteps())
	}
}

func TestFieldsTheAPILacksAreDroppedWithAWarning(t *testing.T) {
	f := parse(t, someSteps+someImage+
		"remote_config: {uri: x}\noptions:\n  logging: CLOUD_LOGGING_ONLY\n  pubsub_topic: projects/p/topics/t\n")
	var got []string
	for _, warning := range f.Warnings {
		got = append(got, warning.String())
	}
	want := []string{
		"cloudbuild.yaml:5: remote_config is not supported here and was left out of the build",
		"cloudbuild.yaml:8: options.pubsub_topic is not supported here and was left out of the build",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheAPIDoesNotHaveIsLeftOutWithAWarning(t *testing.T) {
	const text = "steps:\n- name: a\n  results: [{name: r, attestationType: GOOGLE}]\n" + someImage +
		"artifacts: {genericArtifacts: [{folder: f}], oci: [{file: f}]}\noptions: {pubsub_topic: t, rankedMachineSeries: [n2], pool: {name: p, " +
		"workerRelease: x}}\n"
	f := parse(t, text)
	var said []string
	for _, w := range f.Warnings {
		said = append(said, strings.TrimSuffix(w.String(), " is not supported here and was left out of the build"))
	}
	want := []string{
		"cloudbuild.yaml:3: results", "cloudbuild.yaml:5: artifacts.genericArtifacts", "cloudbuild.yaml:5: artifacts.oci",
		"cloudbuild.yaml:6: options.pubsub_topic", "cloudbuild.yaml:6: options.rankedMachineSeries",
		"cloudbuild.yaml:6: options.pool.workerRelease",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
}
