package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// expectRun runs a command and checks its exit status and its output.
func (s *site) expectRun(args []string, code int, want ...string) {
	s.t.Helper()
	got := s.run(args...)
	said := got.stdout
	if got.err != nil {
		said += got.err.Error()
	}
	if got.code != code {
		s.t.Errorf("%v: exit status %d, want %d; the output is\n%s", args, got.code, code, said)
	}
	for _, text := range want {
		if !strings.Contains(said, text) {
			s.t.Errorf("%v: no %q in\n%s", args, text, said)
		}
	}
}

func TestDescribeShowsAReleaseWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.expectRun([]string{"describe", "shop"}, exitTrouble, "shop has no release yet", "turnout deploy shop")
	first, second := v1alpha1.DeployName("shop", shaA, 1), v1alpha1.DeployName("shop", shaB, 1)
	for _, sha := range []string{shaA, shaB} {
		check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, sha, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "alice"})))
	}
	rel := s.release(first)
	rel.Status.Phase, rel.Status.FinishedAt = v1alpha1.ReleaseFailed, now()
	rel.Status.Timeline = []v1alpha1.TimelineEntry{took(v1alpha1.StepBuild, 0, 3, "built r/shop")}
	rel.Status.Failure = &v1alpha1.Failure{
		Class: v1alpha1.FaultRelease, Reason: "GateFailed", Message: "GET /healthz answers 500", At: *now(),
		Evidence: []v1alpha1.Evidence{{Pod: "shop-green-1", Message: "500", Log: "Traceback\nValueError: no\n"}},
	}
	rel.Status.Proof = &v1alpha1.ProofStatus{Result: v1alpha1.ProofConfirmed, Requests: 9, Message: "9 requests, 0 failed"}
	check(t, s.admin.Status().Update(t.Context(), rel))
	s.expectRun([]string{"describe", "shop", first}, exitSuccess,
		first+": shop deploys aaaaaaa\n", "  asked for by alice, ", "  build         3.0 s  built r/shop\n", first+": Failed",
		"  shop-green-1: 500\n    | Traceback\n    | ValueError: no\n", "seen from outside: 9 requests, 0 failed\n")
	s.expectRun([]string{"describe", "shop", second}, exitSuccess, second+": not taken yet\n")
	s.expectRun([]string{"describe", "shop", "nothing"}, exitTrouble, "shop has no release nothing", "turnout releases shop")
	var listed releaseJSON
	check(t, json.Unmarshal([]byte(s.run("describe", "shop", first, "-o", "json").stdout), &listed))
	if listed.Release != first || listed.Failure == nil || listed.Proof == nil || len(listed.Timeline) != 1 {
		t.Errorf("describe -o json is %+v", listed)
	}
}

func TestPreflightSaysWhetherAReleaseCanRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ready := func(status metav1.ConditionStatus, reason, message string, findings ...v1alpha1.Finding) {
		t.Helper()
		s.status(func(st *v1alpha1.BlueGreenStatus) {
			st.Findings = findings
			st.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: message, LastTransitionTime: *now(),
				ObservedGeneration: s.app.Generation,
			}}
		})
	}
	s.expectRun([]string{"preflight", "shop"}, exitTrouble, "shop  not checked yet", "not ready for a release: shop")
	ready(metav1.ConditionTrue, "Ready", "")
	s.expectRun([]string{"preflight"}, exitSuccess, "shop  ready: nothing found\n")
	warning := v1alpha1.Finding{
		Severity: v1alpha1.SeverityWarning, Reason: "NoPreStop", Object: "deployment shop-blue", Field: "lifecycle", Message: "no preStop",
		Commands: []v1alpha1.ShellCommand{"kubectl patch deployment shop-blue"},
	}
	ready(metav1.ConditionTrue, "Ready", "", warning)
	s.expectRun([]string{"preflight", "shop"}, exitSuccess, "shop     ready\n", "warning  deployment shop-blue, lifecycle: no preStop\n",
		"         kubectl patch deployment shop-blue\n")
	ready(metav1.ConditionFalse, "SelectorMissing", "service shop-blue-svc selects nothing", warning)
	s.expectRun([]string{"preflight"}, exitTrouble, "blocked, SelectorMissing: service shop-blue-svc selects nothing",
		"not ready for a release: shop")
	var p preflightJSON
	check(t, json.Unmarshal([]byte(s.run("preflight", "shop", "-o", "json").stdout), &p))
	if !p.Checked || p.Blocked == nil || p.Blocked.Reason != "SelectorMissing" || len(p.Findings) != 1 || p.Findings[0].Reason != "NoPreStop" {
		t.Errorf("preflight -o json is %+v", p)
	}
	// Nobody has checked the changed spec yet.
	s.app.Spec.Branch = "release"
	check(t, s.admin.Update(t.Context(), s.app))
	s.expectRun([]string{"preflight"}, exitTrouble, "not checked yet")
}

// auditor has the rights of config/rbac/release.yaml in every namespace.
func (s *site) auditor() string {
	s.t.Helper()
	plane, err := startPlane()
	check(s.t, err)
	user := "auditor-" + s.app.Namespace
	check(s.t, s.admin.Create(s.t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "turnout-release"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}))
	_, kubeconfig, err := plane.User(user, nil)
	check(s.t, err)
	file := filepath.Join(s.t.TempDir(), "kubeconfig")
	check(s.t, os.WriteFile(file, kubeconfig, 0o600))
	return file
}

func TestStatusOfAllNamespaces(t *testing.T) {
	t.Parallel()
	one, two := newSite(t), newSite(t)
	one.live(shaA)
	two.live(shaB)
	got := one.runWith(nil, "status", "-A", "--kubeconfig", one.auditor())
	for _, want := range []string{"NAMESPACE", one.app.Namespace + "  shop         aaaaaaa", two.app.Namespace + "  shop         bbbbbbb"} {
		if !strings.Contains(got.stdout, want) { // other tests' applications may be of a newer version
			t.Errorf("%v, no %q in\n%s", got.err, want, got.stdout)
		}
	}
	one.expectRun([]string{"status", "-A"}, exitTrouble, "listing the applications of this cluster", "forbidden")
	one.expectRun([]string{"status", "-A", "shop"}, exitTrouble, "--all-namespaces shows every application")
}

// TestOneNewerApplicationHidesNoOther: it is an error, beside the readable ones.
func TestOneNewerApplicationHidesNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.live(shaA)
	newer := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "newer"}, Spec: s.app.Spec}
	check(t, s.admin.Create(t.Context(), newer))
	newer.Status.Format = v1alpha1.Format + 1
	check(t, s.admin.Status().Update(t.Context(), newer))
	s.expectRun([]string{"status"}, exitTrouble, "shop         aaaaaaa", "/newer was written by a newer Turnout")
	s.expectRun([]string{"preflight"}, exitTrouble, "shop  not checked yet", "written by a newer Turnout")
}

func TestStatusWatchShowsWhatChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "other"}, Spec: s.app.Spec}
	check(t, s.admin.Create(t.Context(), other))
	s.live(shaA)
	var shown lockedBuffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		args := []string{"status", "--watch", "--kubeconfig", s.kubeconfig, "--namespace", s.app.Namespace}
		done <- run(ctx, args, func(string) string { return "" }, &shown, &shown)
	}()
	await := func(what string, reached func(text string) bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true,
			func(context.Context) (bool, error) { return reached(shown.String()), nil })
		if err != nil {
			t.Fatalf("waited for %s; the output is\n%s", what, shown.String())
		}
	}
	await("both", func(text string) bool { return strings.Contains(text, "aaaaaaa") && strings.Contains(text, "other") })
	s.live(shaB)
	await("the new version", func(text string) bool { return strings.Contains(text, "bbbbbbb") })
	if n := strings.Count(shown.String(), "other "); n != 1 {
		t.Errorf("the unchanged line is shown %d times:\n%s", n, shown.String())
	}
	check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, shaB, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "alice"})))
	await("one release in the queue", func(text string) bool {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		return strings.Contains(lines[len(lines)-1], " 1 ")
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Ctrl-C ends it with %v", err)
	}
}

func TestShellCompletesNames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, shaA, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "alice"})))
	name := v1alpha1.DeployName("shop", shaA, 1)
	at := []string{"--kubeconfig", s.kubeconfig, "--namespace", s.app.Namespace}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"status"}, "shop"},
		{[]string{"promote"}, "shop"},
		{[]string{"confirm"}, "shop"},
		{[]string{"promote", "shop"}, name},
		{[]string{"cancel", "shop"}, name},
		{[]string{"describe", "shop"}, name},
		{[]string{"deploy", "shop"}, ""},
	} {
		got := s.runWith(nil, append(append([]string{"__complete"}, tt.args...), append(at, "")...)...)
		first, _, _ := strings.Cut(got.stdout, "\n")
		if first = strings.TrimSuffix(first, ":4"); got.err != nil || first != tt.want {
			t.Errorf("%v: %v, completed by %q, want %q", tt.args, got.err, first, tt.want)
		}
	}
	got := s.runWith(nil, "__complete", "status", "--kubeconfig", s.auditorOfNamespaces(), "--namespace", "")
	if !strings.Contains(got.stdout, s.app.Namespace+"\n") {
		t.Errorf("%v, the completions of --namespace are\n%s", got.err, got.stdout)
	}
}

// auditorOfNamespaces may also list the namespaces.
func (s *site) auditorOfNamespaces() string {
	s.t.Helper()
	file := s.auditor()
	user := "auditor-" + s.app.Namespace
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"}}},
	}
	check(s.t, client.IgnoreAlreadyExists(s.admin.Create(s.t.Context(), role)))
	check(s.t, s.admin.Create(s.t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user + "-namespaces"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}))
	return file
}
