package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// byHand is a person at a terminal who may release one application and does not use
// GitHub.
type byHand struct {
	*application
	kubeconfig string
}

// byHand binds a user to the role of config/rbac/release.yaml in the application's
// namespace.
func (a *application) byHand(user string) byHand {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(project, "config", "rbac", "release.yaml"))
	if err != nil {
		a.t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		a.t.Fatal(err)
	}
	if err := client.IgnoreAlreadyExists(running.kube.Create(a.t.Context(), role)); err != nil {
		a.t.Fatal(err)
	}
	a.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "releases"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	})
	_, kubeconfig, err := running.ControlPlane.User(user, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	h := byHand{a, filepath.Join(a.t.TempDir(), "kubeconfig")}
	if err := os.WriteFile(h.kubeconfig, kubeconfig, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return h
}

// run runs the program and returns its exit status and what it printed.
func (h byHand) run(args ...string) (status int, stdout string) {
	h.t.Helper()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(h.t.Context(), turnout.Binary(project),
		append(args, "--kubeconfig", h.kubeconfig, "--namespace", h.namespace)...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.ExitCode()
	} else if err != nil {
		h.t.Fatal(err)
	}
	h.t.Logf("turnout %s: exit status %d\n%s%s", strings.Join(args, " "), status, out.String(), problems.String())
	return status, out.String()
}

// TestByHandWithoutGitHub releases a commit by hand and rolls it back during an outage of
// GitHub. It is not parallel: the other tests need GitHub.
func TestByHandWithoutGitHub(t *testing.T) {
	a := adoptExample(t, "by-hand", map[string]any{"soak": "1s", "drain": "1s"})
	carol := a.byHand("carol")
	pr := a.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"})

	// The push and the command ask for the same release, whichever comes first.
	status, out := carol.run("deploy", name, "--commit", pr.MergeCommit(), "--timeout", patience.String())
	if status != 0 || !strings.Contains(out, "Succeeded") {
		t.Fatal("the deploy by hand did not succeed")
	}
	if got := a.releases(); len(got) != 1 {
		t.Errorf("%d releases, want 1", len(got))
	}
	a.awaitAnswer(a.host(), "v2.0.0")
	a.awaitDeployment(pr.MergeCommit(), "success")

	running.GitHub.SetOutage(true)
	t.Cleanup(func() { running.GitHub.SetOutage(false) })
	status, out = carol.run("rollback", name, "--timeout", patience.String())
	if status != 0 || !strings.Contains(out, "  switch ") {
		t.Error("the rollback by hand did not succeed")
	}
	a.awaitAnswer(a.host(), "v1.0.0")
	back := a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	if cause := back.Spec.Cause; cause.Kind != v1alpha1.CauseCLI || cause.Actor != "carol" {
		t.Errorf("the rollback's cause is %+v, want the CLI and carol", cause)
	}
	var state struct {
		Live struct{ Color, Version string }
	}
	if _, out = carol.run("status", name, "-o", "json"); json.Unmarshal([]byte(out), &state) != nil || state.Live.Color != "blue" {
		t.Errorf("the status is %s, want blue live", out)
	}
	if status, _ = carol.run("rollback", name); status != 1 {
		t.Errorf("a second rollback exits with %d, want 1: there is no version to return to", status)
	}
	a.checkMetrics()
}

// checkMetrics checks the application's metrics.
func (a *application) checkMetrics() {
	a.t.Helper()
	labels := `application="` + name + `",`
	for series, want := range map[string]float64{
		`turnout_switches_total{` + labels + `kind="Rollback",namespace="` + a.namespace + `"}`:                   1,
		`turnout_releases_total{` + labels + `kind="Rollback",namespace="` + a.namespace + `",phase="Succeeded"}`: 1,
		`turnout_application_ready{` + labels + `namespace="` + a.namespace + `"}`:                                1,
		`turnout_queue_releases{` + labels + `namespace="` + a.namespace + `"}`:                                   0,
	} {
		if got := metric(a.t, series); got != want {
			a.t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	for _, part := range []string{
		`turnout_github_requests_total{method="POST",status="201"}`, `turnout_github_rate_limit_remaining{resource="`,
		`turnout_cloudbuild_requests_total{code="OK",method="GetBuild"}`, `rest_client_requests_total{code="200"`, `turnout_build_info{version=`,
	} {
		if !strings.Contains(metrics(a.t), "\n"+part) {
			a.t.Errorf("the metrics lack %s", part)
		}
	}
}
