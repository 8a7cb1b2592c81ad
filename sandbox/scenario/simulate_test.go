package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// simulate runs turnout simulate against the running turnout. It returns the output and
// the exit status.
func simulate(t *testing.T, secretFile string, args ...string) (output string, status int) {
	t.Helper()
	args = append([]string{"simulate"}, args...)
	args = append(args, "--url", running.turnout.URL+"/webhook", "--webhook-secret-file", secretFile)
	cmd := exec.CommandContext(t.Context(), turnout.Binary(project), args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func TestSimulateSendsWhatTurnoutTakesForGitHubs(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "simulated", sources(t, example))
	a.handOver(name, "acme-prod", nil)
	a.awaitReason(v1alpha1.ReasonIngressMissing)
	commit, err := a.repo.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	secret := running.turnout.SecretFile

	output, status := simulate(t, secret, "push", "--repository", a.repository(), "--commit", commit, "--user", "wendy")
	if status != 0 || !strings.HasPrefix(output, "202 Accepted") {
		t.Errorf("simulate push: exit status %d, %s", status, output)
	}
	rel := a.followRelease("the release", func(*v1alpha1.Release) bool { return true }, in(v1alpha1.ReleaseQueued))
	if rel.Spec.Deploy.Commit != commit || rel.Spec.Cause.Actor != "wendy" || rel.Spec.Cause.Kind != v1alpha1.CausePush {
		t.Errorf("the release is for commit %s with cause %+v", rel.Spec.Deploy.Commit, rel.Spec.Cause)
	}

	if _, err := a.repo.CommitFiles(githubtest.Commit{
		Branch: "topic", Message: "Topic",
		Files: githubtest.Text(map[string]string{"VERSION": "v2\n"}),
	}); err != nil {
		t.Fatal(err)
	}
	pr, err := a.repo.OpenPullRequest(githubtest.NewPullRequest{Title: "Topic", Head: "topic"})
	if err != nil {
		t.Fatal(err)
	}
	said := a.comment(pr.Number, running.writer, "Hello")
	output, status = simulate(t, secret, "comment", "--repository", a.repository(), "--pull", fmt.Sprint(pr.Number), "--body", "/status",
		"--user", running.writer.Login, "--user-id", fmt.Sprint(running.writer.ID), "--comment-id", fmt.Sprint(said.ID))
	if status != 0 || !strings.HasPrefix(output, "202 Accepted") {
		t.Errorf("simulate comment: exit status %d, %s", status, output)
	}
	a.awaitComment(pr.Number, v1alpha1.ReasonIngressMissing)

	file := filepath.Join(t.TempDir(), "payload.json")
	if err := os.WriteFile(file, []byte(`{"zen": "Keep it logically awesome.", "hook_id": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	output, status = simulate(t, secret, "file", file, "--event", "ping")
	if status != 0 || !strings.HasPrefix(output, "202 Accepted") {
		t.Errorf("simulate file: exit status %d, %s", status, output)
	}
}

func TestSimulateWithAnotherSecretSaysThatItWasRefused(t *testing.T) {
	t.Parallel()
	wrong := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(wrong, []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	output, status := simulate(t, wrong, "push", "--commit", strings.Repeat("a", 40))
	if status != 1 || !strings.Contains(output, "turnout: push was answered 401 Unauthorized") ||
		!strings.Contains(output, "the signature does not match any webhook secret") {
		t.Errorf("exit status %d, %s", status, output)
	}
}
