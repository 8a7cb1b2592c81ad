package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// manifest is action.yml (GitHub docs, "Metadata syntax for GitHub Actions").
type manifest struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Author      string `json:"author"`
	Branding    struct {
		Icon  string `json:"icon"`
		Color string `json:"color"`
	} `json:"branding"`
	Inputs map[string]struct {
		Description string  `json:"description"`
		Required    bool    `json:"required"`
		Default     *string `json:"default"`
	} `json:"inputs"`
	Outputs map[string]struct {
		Description string `json:"description"`
	} `json:"outputs"`
	Runs struct {
		Using string   `json:"using"`
		Image string   `json:"image"`
		Args  []string `json:"args"`
	} `json:"runs"`
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	check(t, err)
	var m manifest
	check(t, yaml.UnmarshalStrict(text, &m))
	return m
}

// inputRow and outputRow are rows of the tables in docs/action.md.
var (
	inputRow  = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]* \\| [^|]+ \\|$|^\\| `(reason)` \\| \\| ")
	outputRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]* \\|$")
)

func TestInputsAndOutputsAreThoseOfTheManifestAndOfThePage(t *testing.T) {
	m := readManifest(t)
	page, err := os.ReadFile("../../docs/action.md")
	check(t, err)
	var inputs, outputs, documentedInputs, documentedOutputs []string
	for name, input := range m.Inputs {
		inputs = append(inputs, name)
		if input.Description == "" || input.Required == (input.Default != nil) {
			t.Errorf("input %s: it needs a description, and is either required or has a default: %+v", name, input)
		}
	}
	for name, output := range m.Outputs {
		outputs = append(outputs, name)
		if output.Description == "" {
			t.Errorf("output %s has no description", name)
		}
	}
	for _, row := range inputRow.FindAllStringSubmatch(string(page), -1) {
		documentedInputs = append(documentedInputs, row[1]+row[2])
	}
	for _, row := range outputRow.FindAllStringSubmatch(string(page), -1) {
		documentedOutputs = append(documentedOutputs, row[1])
	}
	for _, compared := range []struct {
		what      string
		got, want []string
	}{
		{"inputs of action.yml", inputs, actionInputs},
		{"outputs of action.yml", outputs, actionOutputs},
		{"inputs of docs/action.md", documentedInputs, actionInputs},
		{"outputs of docs/action.md", documentedOutputs, actionOutputs},
	} {
		if diff := cmp.Diff(slices.Sorted(slices.Values(compared.want)), slices.Sorted(slices.Values(compared.got))); diff != "" {
			t.Errorf("%s (-code +file):\n%s", compared.what, diff)
		}
	}
	if diff := cmp.Diff([]string{"action"}, m.Runs.Args); diff != "" || m.Runs.Using != "docker" {
		t.Errorf("it runs %+v", m.Runs)
	}
}

func TestAnEmptyInputIsItsDefault(t *testing.T) {
	want := map[string]string{}
	for name, input := range readManifest(t).Inputs {
		if input.Default != nil && *input.Default != "" {
			want[name] = *input.Default
		}
	}
	a := &action{getenv: func(string) string { return " " }}
	got := map[string]string{}
	for _, name := range actionInputs {
		if text := a.input(name); text != "" {
			got[name] = text
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-action.yml +code):\n%s", diff)
	}
	_ = a.load() // the application is missing
	if a.command != "deploy" || a.retry || !a.wait || a.timeout != time.Hour {
		t.Errorf("without inputs: command %q, retry %v, wait %v, timeout %s", a.command, a.retry, a.wait, a.timeout)
	}
}

func TestTheCodeReadsEveryInputAndNoOther(t *testing.T) {
	asked := map[string]bool{}
	a := &action{getenv: func(name string) string {
		if input, ok := strings.CutPrefix(name, "INPUT_"); ok {
			asked[strings.ToLower(input)] = true
		}
		return ""
	}}
	if err := a.load(); err == nil {
		t.Error("the action runs without any input")
	}
	want := map[string]bool{}
	for _, name := range actionInputs {
		want[name] = true
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("inputs read (-declared +read):\n%s", diff)
	}
}

// step is one run of the action, as the runner makes it.
type step struct {
	ran
	outputs map[string]string
	summary string
}

// step runs the action with action.yml's defaults and the given inputs.
func (s *site) step(inputs map[string]string) step {
	s.t.Helper()
	dir := s.t.TempDir()
	env := map[string]string{
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
		"GITHUB_SHA": shaB, "GITHUB_ACTOR": "octocat", "GITHUB_SERVER_URL": "https://github.com",
		"GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "42",
	}
	for name, input := range readManifest(s.t).Inputs {
		if input.Default != nil {
			env["INPUT_"+strings.ToUpper(name)] = *input.Default
		}
	}
	inputs["app"], inputs["namespace"], inputs["kubeconfig"] = "shop", s.app.Namespace, s.kubeconfig
	for name, value := range inputs {
		env["INPUT_"+strings.ToUpper(name)] = value
	}
	got := step{ran: s.runWith(env, "action")}
	got.outputs = readOutputs(s.t, env["GITHUB_OUTPUT"])
	summary, err := os.ReadFile(env["GITHUB_STEP_SUMMARY"])
	if err == nil {
		got.summary = string(summary)
	}
	return got
}

// readOutputs reads the file of outputs as the runner does: name<<delimiter, lines,
// delimiter.
func readOutputs(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	found := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for len(lines) > 0 {
		name, delimiter, ok := strings.Cut(lines[0], "<<")
		end := slices.Index(lines[1:], delimiter)
		if !ok || end < 0 {
			t.Fatalf("the runner cannot parse\n%s", text)
		}
		found[name] = strings.Join(lines[1:1+end], "\n")
		lines = lines[end+2:]
	}
	return found
}

func TestAStepDeploysTheWorkflowsCommit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := v1alpha1.DeployName("shop", shaB, 1)
	s.serve(name, func(st *v1alpha1.ReleaseStatus) {
		phase(v1alpha1.ReleaseRunning, "", took(v1alpha1.StepBuild, 0, 0, "build 42 is WORKING"))(st)
	}, func(st *v1alpha1.ReleaseStatus) {
		st.Milestones.Target = v1alpha1.Green
		st.Milestones.Built = &v1alpha1.BuiltMilestone{Image: "img@sha256:bb", At: *now()}
		phase(v1alpha1.ReleaseSucceeded, "users have bbbbbbb", took(v1alpha1.StepBuild, 0, 4, "built img@sha256:bb"))(st)
	})
	got := s.step(map[string]string{})
	if got.err != nil {
		t.Fatalf("exit status %d\n%s", got.code, got.stdout)
	}
	want := map[string]string{
		"release": name, "result": "Succeeded", "version": "bbbbbbb", "image-digest": "sha256:bb", "color": "green",
		"url": "https://shop.example.com", "code": "Retried",
		"args": `{"version":{"color":"","commit":"` + shaB + `","release":"` + name + `"},"attempt":1}`,
	}
	if diff := cmp.Diff(want, got.outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	for _, text := range []string{"bbbbbbb", "build", "4.0"} {
		if !strings.Contains(got.summary, text) {
			t.Errorf("the summary has no %q:\n%s", text, got.summary)
		}
	}
	cause := v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "carol", Claims: "octocat https://github.com/acme/shop/actions/runs/42"}
	if diff := cmp.Diff(cause, s.release(name).Spec.Cause); diff != "" {
		t.Errorf("cause (-want +got):\n%s", diff)
	}
}

func TestAStepPointsAtTheLineThatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(v1alpha1.DeployName("shop", shaB, 1), func(st *v1alpha1.ReleaseStatus) {
		phase(v1alpha1.ReleaseFailed, "no image")(st)
		st.Failure = &v1alpha1.Failure{
			Class: v1alpha1.FaultRelease, Step: v1alpha1.StepBuild, Reason: "BuildConfig", Message: "images: missing,\n100% sure",
			File: "cloudbuild.yaml", Line: 3, At: *now(),
		}
	})
	got := s.step(map[string]string{})
	const want = "::error file=cloudbuild.yaml,line=3,title=shop-bbbbbbbbbbbb-1 BuildConfig::" +
		"its build is not configured correctly: images: missing,%0A100%25 sure\n"
	if got.code != exitFailed || got.outputs["result"] != "Failed" || strings.Count(got.stdout, "::error") != 1 ||
		!strings.Contains(got.stdout, want) {
		t.Errorf("exit status %d, outputs %v\n%s", got.code, got.outputs, got.stdout)
	}
}

func TestAStepThatNeedsAPersonIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(v1alpha1.DeployName("shop", shaB, 1), phase(v1alpha1.ReleaseWaiting, "waits for /promote"))
	got := s.step(map[string]string{})
	if got.err != nil || got.outputs["result"] != "Waiting" ||
		!strings.Contains(got.stdout, "::notice title=Turnout::shop-bbbbbbbbbbbb-1 waits for a person") {
		t.Errorf("exit status %d, outputs %v\n%s", got.code, got.outputs, got.stdout)
	}
}

func TestAStepWithNothingToDoSucceeds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.live(shaB)
	got := s.step(map[string]string{})
	if got.err != nil || got.outputs["result"] != "Succeeded" || got.outputs["version"] != "bbbbbbb" || got.outputs["code"] != "IsLive" ||
		!strings.Contains(got.stdout, "::notice title=Turnout::bbbbbbb is already live.") {
		t.Errorf("exit status %d, outputs %v\n%s", got.code, got.outputs, got.stdout)
	}
}

func TestAStepThatTimesOutFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(v1alpha1.DeployName("shop", shaB, 1), phase(v1alpha1.ReleaseRunning, ""))
	got := s.step(map[string]string{"timeout": "2s"})
	if got.code != exitPending || got.outputs["result"] != "Running" ||
		!strings.Contains(got.stdout, "::error title=Turnout::--timeout passed") {
		t.Errorf("exit status %d, outputs %v\n%s", got.code, got.outputs, got.stdout)
	}
}

func TestAStepRollsBackWithAKubeconfigGivenAsText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.live(shaA)
	text, err := os.ReadFile(s.kubeconfig)
	check(t, err)
	s.kubeconfig = string(text)
	got := s.step(map[string]string{"command": "rollback", "wait": "false"})
	want := map[string]string{
		"release": v1alpha1.RollbackName("shop", "uid-a", 1), "result": "Queued", "version": "sha256:00",
		"image-digest": "sha256:00", "color": "blue", "url": "https://shop.example.com", "code": "BackAtOnce",
		"args": `{"other":{"color":"blue","image":"img@sha256:00","replicas":3}}`,
	}
	if diff := cmp.Diff(want, got.outputs); diff != "" || got.err != nil {
		t.Errorf("exit status %d\n%s\noutputs (-want +got):\n%s", got.code, got.stdout, diff)
	}
}

func TestAStepThatIsRefusedSaysWhy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.live(shaA)
	got := s.step(map[string]string{"command": "promote"})
	if got.code != exitTrouble || got.outputs["result"] != "Refused" || got.outputs["version"] != "aaaaaaa" ||
		got.outputs["code"] != "NoneWaits" || !strings.Contains(got.stdout, "::error title=Turnout::No release of shop waits.") {
		t.Errorf("exit status %d, outputs %v\n%s", got.code, got.outputs, got.stdout)
	}
}

func TestAStepTellsTheStatus(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.live(shaA)
	s.status(func(st *v1alpha1.BlueGreenStatus) { st.Phase = v1alpha1.PhaseHolding })
	got := s.step(map[string]string{"command": "status"})
	want := map[string]string{
		"release": v1alpha1.DeployName("shop", shaA, 1), "result": "Holding", "version": "aaaaaaa",
		"image-digest": "sha256:aa", "color": "green", "url": "https://shop.example.com", "code": "", "args": "",
	}
	if diff := cmp.Diff(want, got.outputs); diff != "" || got.err != nil {
		t.Errorf("exit status %d\n%s\noutputs (-want +got):\n%s", got.code, got.stdout, diff)
	}
	if !strings.Contains(got.summary, "\n    live         aaaaaaa on green") {
		t.Errorf("the summary is\n%s", got.summary)
	}
}

// The runner passes outputs to other steps, so a value must not be able to set another
// output.
func FuzzAnOutputIsReadAsItWasWritten(f *testing.F) {
	for _, value := range []string{"", "blue", "a\nresult<<x\nSucceeded\nx", "turnout_\n", "\n\n"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		file := filepath.Join(t.TempDir(), "output")
		check(t, os.WriteFile(file, []byte(outputs{"version": value}.file()), 0o600))
		if got := readOutputs(t, file); got["version"] != shown(oneLine(value)) || len(got) != len(actionOutputs) {
			t.Errorf("%q was read as %q", value, got)
		}
	})
}

// copied matches the folders and files that the Dockerfile copies, each by its name.
var copied = regexp.MustCompile(`(?m)^COPY ([\w.]+) [\w.]+$`)

func TestTheDockerfileCopiesWhatTheProgramIsMadeOf(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Module,GoFiles,EmbedFiles", "../../cmd/turnout")
	list, err := cmd.Output()
	check(t, err)
	want := map[string]bool{}
	for decoder := json.NewDecoder(strings.NewReader(string(list))); decoder.More(); {
		var p struct {
			ImportPath          string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		check(t, decoder.Decode(&p))
		if p.Module == nil || !p.Module.Main {
			continue
		}
		if p.ImportPath == "github.com/turnout-dev/turnout" { // in no folder
			for _, file := range append(p.GoFiles, p.EmbedFiles...) {
				want[file] = true
			}
		} else {
			dir, _, _ := strings.Cut(strings.TrimPrefix(p.ImportPath, "github.com/turnout-dev/turnout/"), "/")
			want[dir] = true
		}
	}
	text, err := os.ReadFile(filepath.Join("../..", readManifest(t).Runs.Image))
	check(t, err)
	got := map[string]bool{}
	for _, dir := range copied.FindAllStringSubmatch(string(text), -1) {
		got[dir[1]] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Dockerfile (-needed +copied):\n%s", diff)
	}
	ignored, err := os.ReadFile("../../.dockerignore")
	check(t, err)
	for dir := range want {
		if !strings.Contains(string(ignored), "\n!"+dir+"\n") {
			t.Errorf("docker build does not see %s: .dockerignore has no line !%s", dir, dir)
		}
	}
	if bytes.Contains(text, []byte("\nUSER ")) {
		t.Error("a step that is not root cannot write to its runner's files")
	}
}
