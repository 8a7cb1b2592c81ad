package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	utilexec "k8s.io/utils/exec"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// shell runs in the containers: the first word of a command selects its behaviour.
func shell(ctx context.Context, c controlplanetest.Command) error {
	switch c.Line[0] {
	case "ok":
		return nil
	case "fail":
		fmt.Fprintln(c.Stdout, "checking", c.Container, "of", c.Pod)
		fmt.Fprintln(c.Stderr, "no database:", strings.Join(c.Line[1:], "|"))
		return utilexec.CodeExitError{Err: errors.New("exit status 3"), Code: 3}
	case "chatter":
		for i := range 10_000 {
			fmt.Fprintf(c.Stdout, "line %04d %s\n", i, strings.Repeat("x", 300))
		}
		return utilexec.CodeExitError{Err: errors.New("exit status 1"), Code: 1}
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	case "starve":
		fmt.Fprintln(c.Stdout, "waiting for the queue")
		<-ctx.Done()
		return ctx.Err()
	case "env":
		return utilexec.CodeExitError{Err: errors.New("exit status 127"), Code: 127}
	case "runtime":
		return errors.New("rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix " +
			"/run/containerd/containerd.sock\"")
	}
	return fmt.Errorf("failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container "+
		"process: exec: %q: executable file not found in $PATH: unknown", c.Line[0])
}

// startKubelet starts a node whose kubelet ends with the test.
func startKubelet(t *testing.T, node string, exec controlplanetest.Exec) *controlplanetest.Kubelet {
	t.Helper()
	k, err := controlplanetest.StartKubelet(t.Context(), controlPlane, node, exec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Stop)
	return k
}

// commandPlan is a plan of one command.
func commandPlan(t *testing.T, timeout time.Duration, line ...string) Plan {
	t.Helper()
	spec := v1alpha1.GateSpec{Exec: &v1alpha1.ExecCheck{Command: line, Timeout: metav1.Duration{Duration: timeout}}}
	p, err := PlanFor(spec, track.Side{Container: "app"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func straight(t *testing.T, config *rest.Config) Access {
	t.Helper()
	a, err := Straight(config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCommandIsJudgedByHowItEnds(t *testing.T) {
	startKubelet(t, "shell", shell)
	p := pod(t, "app", "10.0.0.1", "shell")
	access := straight(t, controlPlane.Config)
	exit := func(code int32) *int32 { return &code }
	for _, c := range []struct {
		name    string
		line    []string
		problem *v1alpha1.Evidence // Message and Log are parts
	}{
		{name: "0", line: []string{"ok"}},
		{name: "3", line: []string{"fail", "a b", ""}, problem: &v1alpha1.Evidence{
			Request: `command fail "a b" ""`, ExitCode: exit(3), Message: "exited with 3", Log: "no database: a b|",
		}},
		{
			name: "127", line: []string{"env"},
			problem: &v1alpha1.Evidence{Request: "command env", ExitCode: exit(127), Message: "exited with 127: command not found"},
		},
		{name: "missing", line: []string{"nothing"}, problem: &v1alpha1.Evidence{
			Request: "command nothing",
			Message: `cannot be executed: failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to ` +
				`start container process: exec: "nothing": executable file not found`,
		}},
		{
			name: "hanging", line: []string{"hang"},
			problem: &v1alpha1.Evidence{Request: "command hang", Message: "did not end within 300ms (spec.gate.exec.timeout)"},
		},
		{name: "hanging after a word", line: []string{"starve"}, problem: &v1alpha1.Evidence{
			Request: "command starve", Message: "did not end within 300ms", Log: "waiting for the queue",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := 10 * time.Second
			if strings.HasPrefix(c.name, "hanging") {
				timeout = 300 * time.Millisecond
			}
			r := Round(t.Context(), access, commandPlan(t, timeout, c.line...), time.Second, []track.Pod{p})
			if r.CouldNotLook != nil {
				t.Fatalf("could not look: %v", r.CouldNotLook)
			}
			if (r.Problem == nil) != (c.problem == nil) || r.Passed != (c.problem == nil) {
				t.Fatalf("passed %t with problem %+v, want %+v", r.Passed, r.Problem, c.problem)
			}
			if c.problem == nil {
				return
			}
			got, want := *r.Problem, *c.problem
			if got.Pod != p.Name || got.Container != "app" || got.Request != want.Request || !strings.Contains(got.Message, want.Message) ||
				!strings.Contains(got.Log, want.Log) {
				t.Errorf("problem %+v, want %+v", got, want)
			}
			if (got.ExitCode == nil) != (want.ExitCode == nil) || got.ExitCode != nil && *got.ExitCode != *want.ExitCode {
				t.Errorf("exit code %v, want %v", got.ExitCode, want.ExitCode)
			}
		})
	}
}

func TestTheLastLinesOfALongOutputAreKept(t *testing.T) {
	startKubelet(t, "chatter", shell)
	p := pod(t, "app", "10.0.0.1", "chatter")
	r := Round(t.Context(), straight(t, controlPlane.Config), commandPlan(t, 10*time.Second, "chatter"), time.Second, []track.Pod{p})
	if r.Problem == nil {
		t.Fatalf("got %+v, want a problem", r)
	}
	log := r.Problem.Log
	if n := strings.Count(log, "line "); len(log) > outputKept || n > outputLines || n < 10 || !strings.Contains(log, "line 9999") ||
		!strings.HasSuffix(log, "xxx") {
		t.Errorf("%d bytes, %d lines: %q", len(log), n, log)
	}
}

func TestTheLastTwentyOfManyShortLinesAreKept(t *testing.T) {
	var out output
	stdout, _ := out.both()
	for i := range 1000 {
		if _, err := fmt.Fprintf(stdout, "%d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if got := out.String(); strings.Count(got, "\n") != outputLines-1 || !strings.HasPrefix(got, "980\n") || !strings.HasSuffix(got, "\n999") {
		t.Errorf("kept %q", got)
	}
	if len(out.kept) > 2*outputKept {
		t.Errorf("%d bytes are held", len(out.kept))
	}
}

func TestLinesThatArriveInPiecesAreNotMixed(t *testing.T) {
	var out output
	stdout, stderr := out.both()
	for _, piece := range []struct {
		to   io.Writer
		text string
	}{{stdout, "checking "}, {stderr, "no column"}, {stdout, "orders\nthen"}, {stderr, " total\n"}, {stdout, " stock"}} {
		if _, err := io.WriteString(piece.to, piece.text); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := out.String(), "checking orders\nno column total\nthen stock"; got != want {
		t.Errorf("it reads %q, want %q", got, want)
	}
	endless := strings.Repeat("x", 10*outputKept)
	if _, err := io.WriteString(stdout, endless); err != nil {
		t.Fatal(err)
	}
	if held := len(out.streams[0].line); held > 2*outputKept {
		t.Errorf("%d bytes of an endless line are kept", held)
	}
}

func TestACommandThatCannotRunSaysNothingAboutHealth(t *testing.T) {
	startKubelet(t, "trouble", shell)
	good := pod(t, "app", "10.0.0.1", "trouble")
	gone := good
	gone.Name = "gone"
	stranger, _, err := controlPlane.User("stranger", nil)
	if err != nil {
		t.Fatal(err)
	}
	nobody := rest.CopyConfig(controlPlane.Config)
	nobody.Host = fmt.Sprintf("https://127.0.0.1:%d", closedPort(t, "127.0.0.1"))
	for _, c := range []struct {
		name   string
		config *rest.Config
		pod    track.Pod
		line   string
		why    string
	}{
		{name: "no right to pods/exec", config: stranger, pod: good, why: `cannot create resource "pods/exec"`},
		{name: "no such pod", config: controlPlane.Config, pod: gone, why: `pods "gone" not found`},
		{name: "no API server", config: nobody, pod: good, why: "connection refused"},
		{name: "no kubelet", config: controlPlane.Config, pod: pod(t, "app", "10.0.0.2", deadNode(t)), why: "connection refused"},
		{name: "the runtime's own trouble", config: controlPlane.Config, pod: good, line: "runtime", why: "containerd.sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.line == "" {
				c.line = "ok"
			}
			r := Round(t.Context(), straight(t, c.config), commandPlan(t, 5*time.Second, c.line), time.Second, []track.Pod{c.pod})
			if r.Passed || r.Problem != nil || r.CouldNotLook == nil || !strings.Contains(r.CouldNotLook.Error(), c.why) {
				t.Errorf("got %+v, want no verdict and %q", r, c.why)
			}
		})
	}
}

// deadNode is a node whose kubelet has ended.
func deadNode(t *testing.T) string {
	t.Helper()
	t.Run("a kubelet that ends", func(t *testing.T) { startKubelet(t, "dead", shell) })
	return "dead"
}

func TestCommandNeedsOnlyTheRightToCreateExec(t *testing.T) {
	startKubelet(t, "rights", shell)
	p := pod(t, "app", "10.0.0.1", "rights")
	kube := kubernetes.NewForConfigOrDie(controlPlane.Config).RbacV1()
	for user, verbs := range map[string][]string{"webber": {"get", "create"}, "spdy": {"create"}} {
		config, _, err := controlPlane.User(user, nil)
		if err != nil {
			t.Fatal(err)
		}
		role := &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: verbs},
				{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
			},
		}
		if _, err := kube.Roles("default").Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			RoleRef:    rbacv1.RoleRef{Kind: "Role", Name: user, APIGroup: rbacv1.GroupName}, Subjects: []rbacv1.Subject{{Kind: "User", Name: user}},
		}
		if _, err := kube.RoleBindings("default").Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		access, look := straight(t, config), commandPlan(t, 5*time.Second, "ok")
		var r Result
		for range 100 { // the authorizer sees the role through a watch
			if r = Round(t.Context(), access, look, time.Second, []track.Pod{p}); r.Passed {
				break
			}
		}
		if !r.Passed {
			t.Errorf("%s may %v, and got %+v", user, verbs, r)
		}
	}
}

// A proxy without support for WebSocket must not keep commands from running.
func TestCommandRunsOverSPDYWhereWebSocketsAreRefused(t *testing.T) {
	startKubelet(t, "spdy", shell)
	p := pod(t, "app", "10.0.0.1", "spdy")
	target, err := url.Parse(controlPlane.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	http1 := rest.CopyConfig(controlPlane.Config)
	http1.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade
	if forward.Transport, err = rest.TransportFor(http1); err != nil {
		t.Fatal(err)
	}
	refused := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "websocket" {
			refused++
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	access := straight(t, &rest.Config{Host: proxy.URL})
	if r := Round(t.Context(), access, commandPlan(t, 5*time.Second, "ok"), time.Second, []track.Pod{p}); !r.Passed || refused != 1 {
		t.Errorf("got %+v after %d refusals", r, refused)
	}
	if r := Round(t.Context(), access, commandPlan(t, 5*time.Second, "fail"), time.Second, []track.Pod{p}); r.Problem == nil ||
		!strings.Contains(r.Problem.Log, "no database") {
		t.Errorf("got %+v, want the command's failure", r)
	}
}

// A node that no longer answers does not make a command hang.
func TestSilenceOfTheNodeIsNotTheCommands(t *testing.T) {
	started := make(chan struct{})
	var kubelet *controlplanetest.Kubelet
	kubelet = startKubelet(t, "silent", func(ctx context.Context, _ controlplanetest.Command) error {
		kubelet.Hang()
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	p := pod(t, "app", "10.0.0.1", "silent")
	r := Round(t.Context(), straight(t, controlPlane.Config), commandPlan(t, time.Second, "hang"), time.Second, []track.Pod{p})
	<-started
	if r.Problem != nil || r.CouldNotLook == nil || !strings.Contains(r.CouldNotLook.Error(), "not even for a log") {
		t.Errorf("got %+v, want no verdict", r)
	}
}

// The API server reports a command as a success if it lost the kubelet.
func TestACommandWhoseNodeIsLostHasNotPassed(t *testing.T) {
	var kubelet *controlplanetest.Kubelet
	kubelet = startKubelet(t, "lost", func(ctx context.Context, c controlplanetest.Command) error {
		fmt.Fprintln(c.Stdout, "half way")
		kubelet.Hang()
		kubelet.Disconnect()
		<-ctx.Done()
		return ctx.Err()
	})
	p := pod(t, "app", "10.0.0.1", "lost")
	r := Round(t.Context(), straight(t, controlPlane.Config), commandPlan(t, 5*time.Second, "ok"), time.Second, []track.Pod{p})
	if r.Passed || r.Problem != nil || r.CouldNotLook == nil {
		t.Errorf("got %+v, want no verdict", r)
	}
}
