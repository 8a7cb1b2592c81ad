package checks

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rhysd/actionlint"
)

const (
	project   = "../.."
	workflows = project + "/examples/workflows"
	published = "turnout-dev/turnout@v0" // as users name the action
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// examples are the workflows by name.
func examples(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(workflows + "/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, file := range files {
		found[filepath.Base(file)] = read(t, file)
	}
	want := []string{"deploy.yml", "promote.yml", "rollback.yml", "status.yml"}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatalf("workflows (-want +got):\n%s", diff)
	}
	return found
}

// lint runs actionlint on a workflow as if it were in this repository, so it also checks
// action.yml itself, and the workflow's inputs and outputs. It uses no network.
func lint(t *testing.T, workflow string) []string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, ".github", "workflows", "workflow.yml")
	for _, name := range []string{filepath.Dir(file), filepath.Join(dir, ".git")} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{file: strings.ReplaceAll(workflow, published, "./")}
	for _, name := range []string{"action.yml", "Dockerfile"} {
		files[filepath.Join(dir, name)] = read(t, filepath.Join(project, name))
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := linter.LintRepository(dir)
	if err != nil {
		t.Fatal(err)
	}
	said := make([]string, len(problems))
	for i, p := range problems {
		said[i] = p.Error()
	}
	return said
}

func TestTheWorkflowsPassActionlint(t *testing.T) {
	for name, text := range examples(t) {
		if !strings.Contains(text, "uses: "+published) {
			t.Errorf("%s does not use %s", name, published)
		}
		for _, problem := range lint(t, text) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

func TestTheProjectsOwnWorkflowsPassActionlint(t *testing.T) {
	files, err := filepath.Glob(project + "/.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("workflows: %v (%v)", files, err)
	}
	for _, file := range files {
		text := read(t, file)
		for _, problem := range lint(t, text) {
			t.Errorf("%s: %s", file, problem)
		}
		if !strings.Contains(text, "\npermissions: {}\n") {
			t.Errorf("%s: the workflow itself needs `permissions: {}`", file)
		}
	}
}

// What is too slow for each change runs every night: all of it, under names that the Makefile has.
func TestEverySlowTargetRunsEveryNight(t *testing.T) {
	text := read(t, project+"/.github/workflows/nightly.yml")
	if !strings.Contains(text, "\n  schedule:\n    - cron: ") {
		t.Error("nightly.yml has no schedule")
	}
	found := regexp.MustCompile(`target: \[(.+)\]`).FindStringSubmatch(text)
	if found == nil {
		t.Fatal("nightly.yml has no targets")
	}
	got := strings.Split(found[1], ", ")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"chaos", "conformance", "crash", "fuzz", "test-long"}, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	makefile := read(t, project+"/Makefile")
	for _, target := range got {
		if !strings.Contains(makefile, "\n.PHONY: "+target+"\n") {
			t.Errorf("the Makefile has no target %s", target)
		}
	}
}

// A workflow that promises the protection of an environment must name one.
func TestTheButtonThatPromotesWaitsForReviewers(t *testing.T) {
	w, problems := actionlint.Parse([]byte(examples(t)["promote.yml"]))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for name, job := range w.Jobs {
		if job.Environment == nil || job.Environment.Name == nil || job.Environment.Name.Value == "" {
			t.Errorf("job %s names no environment", name)
		}
	}
}

func TestActionlintFindsWhatIsWrong(t *testing.T) {
	deploy := examples(t)["deploy.yml"]
	tests := []struct{ name, from, to, want string }{
		{
			"an input that the action does not have", "          app: my-python-app\n", "          app: my-python-app\n          program: x\n",
			`input "program" is not defined in action "Turnout"`,
		},
		{"a required input that is missing", "          app: my-python-app\n", "", `missing input "app" which is required by action "Turnout"`},
		{"an output that the action does not have", "outputs.version", "outputs.wersion", `property "wersion" is not defined`},
		{"a permission that does not exist", "id-token: write", "id-tokens: write", "id-tokens"},
		{"text of others in a script", `run: echo "$VERSION`, `run: echo "${{ github.event.head_commit.message }}`, "potentially untrusted"},
		{
			"an input that Google's action does not have", "workload_identity_provider:", "workload_identity_pool:",
			`input "workload_identity_pool" is not defined`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			broken := strings.Replace(deploy, tt.from, tt.to, 1)
			if broken == deploy {
				t.Fatalf("the workflow has no %q", tt.from)
			}
			if got := strings.Join(lint(t, broken), "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheWorkflowsAskForLittle(t *testing.T) {
	commands := map[string]bool{}
	for name, text := range examples(t) {
		w, problems := actionlint.Parse([]byte(text))
		if len(problems) > 0 {
			t.Fatal(name, problems)
		}
		if w.Permissions == nil || w.Permissions.All != nil || len(w.Permissions.Scopes) != 0 {
			t.Errorf("%s: the workflow itself needs `permissions: {}`", name)
		}
		if w.Concurrency == nil || w.Concurrency.Group == nil {
			t.Errorf("%s has no concurrency group", name)
		}
		for _, job := range w.Jobs {
			got := map[string]string{}
			for scope, p := range job.Permissions.Scopes {
				got[scope] = p.Value.Value
			}
			if diff := cmp.Diff(map[string]string{"contents": "read", "id-token": "write"}, got); diff != "" {
				t.Errorf("%s: permissions (-want +got):\n%s", name, diff)
			}
			if job.TimeoutMinutes == nil {
				t.Errorf("%s: the job has no timeout-minutes", name)
			}
			commands[commandOf(t, name, job)] = true
		}
		if strings.Contains(text, "secrets.") || !strings.Contains(text, "workload_identity_provider:") {
			t.Errorf("%s: it authenticates by workload identity, without a secret", name)
		}
	}
	if diff := cmp.Diff(map[string]bool{"deploy": true, "promote": true, "rollback": true, "status": true}, commands); diff != "" {
		t.Errorf("commands shown (-want +got):\n%s", diff)
	}
}

// commandOf is a job's command for the action.
func commandOf(t *testing.T, name string, job *actionlint.Job) string {
	t.Helper()
	for _, step := range job.Steps {
		action, ok := step.Exec.(*actionlint.ExecAction)
		if !ok || action.Uses.Value != published {
			continue
		}
		if input := action.Inputs["command"]; input != nil {
			return input.Value.Value
		}
		return "deploy"
	}
	t.Errorf("%s does not use the action", name)
	return ""
}

// snippet is the example of docs/action.md.
var snippet = regexp.MustCompile("(?ms)^```yaml\n(permissions:.*?)^```$")

func TestTheExampleOfThePagePassesActionlint(t *testing.T) {
	m := snippet.FindStringSubmatch(read(t, project+"/docs/action.md"))
	if m == nil {
		t.Fatal("docs/action.md has no example")
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(m[1]), "\n", "\n    ")
	for _, problem := range lint(t, "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-24.04\n"+indented+"\n") {
		t.Error(problem)
	}
}
