package gate

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func queueCommand(timeout time.Duration, line ...string) v1alpha1.QueueSpec {
	return v1alpha1.QueueSpec{Exec: &v1alpha1.QueueCommand{Command: line, Timeout: metav1.Duration{Duration: timeout}}}
}

func queueRequest(path string) v1alpha1.QueueSpec {
	return v1alpha1.QueueSpec{HTTP: &v1alpha1.QueueRequest{Path: path, Port: 8080}}
}

// Only 0 and 200 of every pod mean that a queue is empty. What was not asked means nothing.
func TestQueueIsEmptyOnlyIfEveryPodSaysSo(t *testing.T) {
	startKubelet(t, "queue", shell)
	p := pod(t, "mail", "10.0.0.1", "queue")
	lost := pod(t, "mail", "10.0.0.2", "no-such-node")
	access := straight(t, controlPlane.Config)
	side := func(pods ...track.Pod) track.Side {
		return track.Side{Deployment: "mail", Container: "app", Pods: pods}
	}
	ending := p
	ending.Terminating = true
	two := side(p)
	two.Container, two.Containers = "", []string{"app", "proxy"}
	run, get := queueCommand, queueRequest
	type look = track.QueueLook
	const field = "spec.workers[mail].queue"
	for name, tt := range map[string]struct {
		spec v1alpha1.QueueSpec
		side track.Side
		want track.QueueLook // texts are parts
	}{
		"0":                               {run(time.Second, "ok"), side(p), look{Empty: true}},
		"3":                               {run(time.Second, "fail", "x"), side(p), look{Left: ": command fail x: exited with 3"}},
		"it hangs":                        {run(100*time.Millisecond, "hang"), side(p), look{Left: "100ms (" + field + ".exec.timeout)"}},
		"it does not exist":               {run(time.Second, "nothing"), side(p), look{Left: "cannot be executed"}},
		"the runtime is gone":             {run(time.Second, "runtime"), side(p), look{Unknown: "containerd.sock"}},
		"one of two pods is out of reach": {run(time.Second, "ok"), side(p, lost), look{Unknown: "command ok"}},
		"an ending pod does not count":    {run(time.Second, "ok"), side(ending, p), look{Empty: true}},
		"only an ending pod":              {run(time.Second, "ok"), side(ending), look{Unknown: "no pod to ask"}},
		"no pod":                          {run(time.Second, "ok"), side(), look{Unknown: "no pod to ask"}},
		"no container": {run(time.Second, "ok"), two, track.QueueLook{
			Unknown: "spec.workers[mail].container must name the container for queue.exec: deployment mail has app, proxy",
		}},
		"no check":             {v1alpha1.QueueSpec{}, side(p), look{Unknown: field + " needs http or exec"}},
		"a path out of a pod":  {get("/../x"), side(p), look{Unknown: field + ".http.path"}},
		"an address of nobody": {get("/"), side(track.Pod{Name: "a", IP: "169.254.169.254"}), look{Unknown: "cannot be a pod's"}},
	} {
		got := Queue(t.Context(), access, tt.spec, "mail", tt.side)
		if got.Empty != tt.want.Empty || (got.Left == "") != (tt.want.Left == "") || (got.Unknown == "") != (tt.want.Unknown == "") ||
			!strings.Contains(got.Left, tt.want.Left) || !strings.Contains(got.Unknown, tt.want.Unknown) {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Queue(ended, access, run(time.Second, "ok"), "mail", side(p)); got.Empty || got.Left != "" {
		t.Errorf("a question that was cut short: %+v", got)
	}
}

func TestQueueIsAskedOverHTTP(t *testing.T) {
	ip, port := serve(t, false)
	p := pod(t, "mail", ip)
	for way, access := range map[string]Access{
		"straight": straight(t, controlPlane.Config), "through the API server": throughAPIServer(t, controlPlane.Config),
	} {
		for path, want := range map[string]track.QueueLook{
			"/ok":      {Empty: true},
			"/moved":   {Left: "answered 302, expected 200"},
			"/error":   {Left: "answered 500, expected 200"},
			"/nothing": {Left: "answered 404, expected 200"},
			"/slow":    {Left: "no answer within 2s"},
		} {
			spec := v1alpha1.QueueSpec{HTTP: &v1alpha1.QueueRequest{Path: path, Port: port}}
			got := Queue(t.Context(), access, spec, "mail", track.Side{Pods: []track.Pod{p}})
			if got.Empty != want.Empty || !strings.Contains(got.Left, want.Left) || got.Unknown != "" {
				t.Errorf("%s %s: got %+v, want %+v", way, path, got, want)
			}
		}
	}
}
