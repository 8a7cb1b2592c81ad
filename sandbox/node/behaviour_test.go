package node_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/utils/ptr"
)

// oneReady runs one container and returns its pod once it is ready.
func oneReady(t *testing.T, c corev1.Container) (*appsv1.Deployment, corev1.Pod) {
	t.Helper()
	d := deploy(t, 1, corev1.PodSpec{Containers: []corev1.Container{c}, TerminationGracePeriodSeconds: ptr.To[int64](10)})
	return d, awaitPods(t, d, "ready", func(pods []corev1.Pod) bool { return len(pods) == 1 && isReady(pods[0]) })[0]
}

// run executes a command in a pod through the API server.
func run(t *testing.T, pod corev1.Pod, stdin string, line ...string) (string, string, error) {
	t.Helper()
	request := cluster.Clients.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: line, Stdin: stdin != "", Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(cluster.Plane.Config, "GET", request.URL().String())
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	options := remotecommand.StreamOptions{Stdout: &out, Stderr: &errOut}
	if stdin != "" {
		options.Stdin = strings.NewReader(stdin)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = executor.StreamWithContext(ctx, options)
	return out.String(), errOut.String(), err
}

func logs(t *testing.T, pod corev1.Pod, options *corev1.PodLogOptions) string {
	t.Helper()
	text, err := cluster.Clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(t.Context())
	if err != nil {
		t.Fatalf("reading the log of %s: %v", pod.Name, err)
	}
	return string(text)
}

func TestLogsAndExecGoThroughTheAPIServer(t *testing.T) {
	c := app(push(t, "v1-exec", map[string]string{}))
	c.Env = []corev1.EnvVar{
		{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
		{Name: "GREETING", Value: "at $(POD_IP)"},
	}
	_, pod := oneReady(t, c)
	if got, want := logs(t, pod, &corev1.PodLogOptions{}), "version v1-exec listens on port 8080\n"; got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
	out, _, err := run(t, pod, "", "python", "-c", "import os; print(os.environ['GREETING'], open('VERSION').read())")
	if want := "at " + pod.Status.PodIP + " v1-exec\n"; err != nil || out != want {
		t.Errorf("exec printed %q, %v; want %q", out, err, want)
	}
	if out, _, err := run(t, pod, "typed", "cat"); err != nil || out != "typed" {
		t.Errorf("cat of what was typed printed %q, %v", out, err)
	}
	_, errOut, err := run(t, pod, "", "sh", "-c", "echo oh >&2; exit 3")
	var exit utilexec.CodeExitError
	if !errors.As(err, &exit) || exit.Code != 3 || errOut != "oh\n" {
		t.Errorf("a command that exits 3 gave %q, %v", errOut, err)
	}
	for range 3 {
		get(t, "http://"+pod.Status.PodIP+":8080/slow?s=0")
	}
	await(t, func(context.Context) (bool, error) {
		text := logs(t, pod, &corev1.PodLogOptions{TailLines: ptr.To[int64](2)})
		return strings.Count(text, "\n") == 2 && strings.Count(text, "/slow") == 2, nil
	}, func() { t.Error("tailLines=2 never gave the last two lines") })
}

func TestReadinessFollowsHealthz(t *testing.T) {
	d, pod := oneReady(t, app(push(t, "v1-ready", map[string]string{})))
	if _, _, err := run(t, pod, "", "mv", "greetings.json", "gone"); err != nil {
		t.Fatal(err)
	}
	notReady := awaitPods(t, d, "not ready", func(pods []corev1.Pod) bool { return !isReady(pods[0]) })[0]
	if s := notReady.Status.ContainerStatuses[0]; s.State.Running == nil || s.RestartCount != 0 {
		t.Errorf("the container is %+v, want it running on", s)
	}
	if _, _, err := run(t, pod, "", "mv", "gone", "greetings.json"); err != nil {
		t.Fatal(err)
	}
	awaitPods(t, d, "ready again", func(pods []corev1.Pod) bool { return isReady(pods[0]) })
}

func TestReadinessGateIsHonoured(t *testing.T) {
	d := deploy(t, 1, corev1.PodSpec{
		Containers:     []corev1.Container{app(push(t, "v1-gate", map[string]string{}))},
		ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "test.dev/gate"}},
	})
	pod := awaitPods(t, d, "held by the gate", func(pods []corev1.Pod) bool {
		return len(pods) == 1 && condition(pods[0], corev1.ContainersReady).Status == corev1.ConditionTrue
	})[0]
	if ready := condition(pod, corev1.PodReady); ready.Reason != "ReadinessGatesNotReady" {
		t.Errorf("condition Ready is %+v, want reason ReadinessGatesNotReady", ready)
	}
	await(t, func(ctx context.Context) (bool, error) {
		_, err := cluster.Clients.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, "application/strategic-merge-patch+json",
			[]byte(`{"status":{"conditions":[{"type":"test.dev/gate","status":"True"}]}}`), metav1.PatchOptions{}, "status")
		return err == nil, nil
	}, func() { t.Error("the gate's condition could not be written") })
	awaitPods(t, d, "ready", func(pods []corev1.Pod) bool { return isReady(pods[0]) })
}

func condition(pod corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func TestCrashLoopIsReportedAsAKubeletDoes(t *testing.T) {
	image := push(t, "v1-crash", map[string]string{"app.py": "import sys\nprint('no database')\nsys.exit(7)\n"})
	d := deploy(t, 1, corev1.PodSpec{Containers: []corev1.Container{app(image)}})
	pod := awaitPods(t, d, "crash looping", func(pods []corev1.Pod) bool {
		return len(pods) == 1 && len(pods[0].Status.ContainerStatuses) == 1 && waitsFor(pods[0], "CrashLoopBackOff") &&
			pods[0].Status.ContainerStatuses[0].RestartCount >= 1
	})[0]
	s := pod.Status.ContainerStatuses[0]
	if last := s.LastTerminationState.Terminated; last == nil || last.ExitCode != 7 || last.Reason != "Error" || last.StartedAt.IsZero() {
		t.Errorf("lastState is %+v, want terminated with code 7, reason Error and times", s.LastTerminationState)
	}
	if !strings.HasPrefix(s.State.Waiting.Message, "back-off ") ||
		!strings.Contains(s.State.Waiting.Message, "restarting failed container=app") {
		t.Errorf("the message is %q", s.State.Waiting.Message)
	}
	if pod.Status.Phase != corev1.PodRunning {
		t.Errorf("the phase is %s, want Running as a kubelet says while it backs off", pod.Status.Phase)
	}
	if got := logs(t, pod, &corev1.PodLogOptions{Previous: true}); got != "no database\n" {
		t.Errorf("the previous log is %q", got)
	}
}

func waitsFor(pod corev1.Pod, reason string) bool {
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Waiting != nil && s.State.Waiting.Reason == reason {
			return true
		}
	}
	return false
}

func TestBadPodsWaitWithTheKubeletsReasons(t *testing.T) {
	good := push(t, "v1-bad", map[string]string{})
	missingSecret := app(good)
	missingSecret.EnvFrom = []corev1.EnvFromSource{
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}}},
	}
	for name, c := range map[string]struct {
		container corev1.Container
		reason    string
		message   string
	}{
		"unknown image":    {app(repository + ":never"), "ImagePullBackOff", "not found"},
		"no image name":    {app("gcr.io/ACME/app:1"), "InvalidImageName", "couldn't parse image name"},
		"missing secret":   {missingSecret, "CreateContainerConfigError", `secrets "none" not found`},
		"missing digest":   {app(repository + "@sha256:" + strings.Repeat("0", 64)), "ImagePullBackOff", "not found"},
		"other repository": {app("gcr.io/acme-prod/other:v1-bad"), "ErrImagePull", "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, 1, corev1.PodSpec{Containers: []corev1.Container{c.container}})
			pod := awaitPods(t, d, c.reason, func(pods []corev1.Pod) bool { return len(pods) == 1 && waitsFor(pods[0], c.reason) })[0]
			if message := pod.Status.ContainerStatuses[0].State.Waiting.Message; !strings.Contains(message, c.message) {
				t.Errorf("the message is %q, want %q in it", message, c.message)
			}
			if pod.Status.Phase != corev1.PodPending {
				t.Errorf("the phase is %s, want Pending", pod.Status.Phase)
			}
		})
	}
}

func TestLivenessFailureRestartsTheContainer(t *testing.T) {
	c := app(push(t, "v1-live", map[string]string{}))
	c.LivenessProbe = httpProbe("/healthz")
	c.LivenessProbe.FailureThreshold = 3 // the first tries fail: the application does not listen yet
	d, pod := oneReady(t, c)
	if _, _, err := run(t, pod, "", "rm", "greetings.json"); err != nil {
		t.Fatal(err)
	}
	again := awaitPods(t, d, "restarted and ready", func(pods []corev1.Pod) bool {
		return pods[0].Status.ContainerStatuses[0].RestartCount == 1 && isReady(pods[0])
	})[0]
	if got := logs(t, again, &corev1.PodLogOptions{Previous: true}); !strings.Contains(got, "stopping") {
		t.Errorf("the previous log is %q, want it to end by SIGTERM", got)
	}
}

func TestDeletionIsGraceful(t *testing.T) {
	c := app(push(t, "v1-grace", map[string]string{}))
	c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 1}}}
	_, pod := oneReady(t, c)
	follow, err := cluster.Clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	slow := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + pod.Status.PodIP + ":8080/slow?s=2") //nolint:noctx // bounded by the pod's grace
		if err != nil {
			slow <- err.Error()
			return
		}
		slow <- response.Status
		_ = response.Body.Close() // only the status counts
	}()
	await(t, func(context.Context) (bool, error) {
		_, errOut, err := run(t, pod, "", "sh", "-c", `grep -q ":1F90 [0-9A-F]*:[0-9A-F]* 01" /proc/thread-self/net/tcp`)
		return err == nil && errOut == "", nil
	}, func() { t.Error("the slow request was never under way") })
	begin := time.Now()
	if err := cluster.Clients.CoreV1().Pods(pod.Namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if body := <-slow; !strings.Contains(body, "200 OK") {
		t.Errorf("the request in progress was answered %q", body)
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(follow); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(text.String(), "stopped\n") {
		t.Errorf("the followed log ends %q, want a stop that drained everything", text.String())
	}
	await(t, func(ctx context.Context) (bool, error) {
		_, err := cluster.Clients.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	}, func() { t.Error("the pod's object was never removed") })
	if took := time.Since(begin); took < time.Second {
		t.Errorf("the pod was gone after %s, before preStop ended", took)
	}
}
