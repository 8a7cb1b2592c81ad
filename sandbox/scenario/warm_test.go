package scenario

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// adoptWithoutHealthCheck runs the example without BackendConfigs for its Services, and
// without pods of green.
func adoptWithoutHealthCheck(t *testing.T, namespace string) *application {
	t.Helper()
	a := newApplication(t, namespace, sources(t, example))
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Service":
			u.SetAnnotations(nil)
		case "Deployment":
			set(t, u, int64(2), "spec", "replicas")
			if strings.HasSuffix(u.GetName(), "green") {
				set(t, u, int64(0), "spec", "replicas")
			}
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			set(t, u, "1s", "spec", "soak")
		}
	})
	a.awaitReason(v1alpha1.ReasonReady)
	a.awaitAnswer(a.host(), "v1.0.0")
	return a
}

// The new version answers 200 on its readiness probe's path, but not on /. So it is
// healthy only if the load balancer took its health check from that probe. A health check
// that is created while green has no pods asks for /.
func TestLoadBalancerFindsEveryPodHealthyBeforeTheFirstSwitch(t *testing.T) {
	t.Parallel()
	a := adoptWithoutHealthCheck(t, "warm")
	app := strings.Replace(string(sources(t, example)["app.py"].Content), `"/": self.root`, `"/hello": self.root`, 1)
	pr := a.merge("Say hello elsewhere", map[string]string{"VERSION": "v2.0.0\n", "app.py": app})
	rel := a.follow(pr, "the deploy", in(v1alpha1.ReleaseSucceeded))
	t.Log(timeline(rel))

	if r := rel.Status.Route; r == nil || r.LoadBalancer != v1alpha1.LoadBalancerGCE || r.EventsBefore == "" {
		t.Errorf("the release's route is %+v", r)
	}
	if said := saidAt(rel, v1alpha1.StepWarm); !slices.Contains(said, "the load balancer finds 2 pods healthy") {
		t.Errorf("warm said %q", said)
	}
	var pods corev1.PodList
	if err := running.kube.List(t.Context(), &pods, client.InNamespace(a.namespace), client.MatchingLabels{"version": "green"}); err != nil {
		t.Fatal(err)
	}
	// A pod from before green was attached may still be terminating.
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(pods.Items) != 2 {
		t.Errorf("green has %d pods", len(pods.Items))
	}
	for i := range pods.Items {
		checkFoundHealthy(t, &pods.Items[i])
	}

	a.comment(pr.Number, running.writer, "/rollback")
	back := a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	t.Log(timeline(back))
	a.awaitAnswer(a.host(), "v1.0.0")
}

// checkFoundHealthy checks that the load balancer reports a pod as healthy.
func checkFoundHealthy(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	for _, c := range pod.Status.Conditions {
		if c.Type == "cloud.google.com/load-balancer-neg-ready" {
			if c.Status != corev1.ConditionTrue || c.Reason != "LoadBalancerNegReady" || !strings.Contains(c.Message, "Healthy in NEG") {
				t.Errorf("pod %s: %s %s %s", pod.Name, c.Status, c.Reason, c.Message)
			}
			return
		}
	}
	t.Errorf("pod %s has no condition from the load balancer", pod.Name)
}

// saidAt returns a step's messages in a release's timeline.
func saidAt(rel *v1alpha1.Release, step v1alpha1.Step) (said []string) {
	for _, e := range rel.Status.Timeline {
		if e.Step == step {
			said = append(said, e.Message)
		}
	}
	return said
}

// timeline prints a release's steps with their times.
func timeline(rel *v1alpha1.Release) string {
	var lines []string
	for _, e := range rel.Status.Timeline {
		took := "…"
		if e.FinishedAt != nil {
			took = e.FinishedAt.Sub(e.StartedAt.Time).String()
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", e.Step, took, e.Message))
	}
	return strings.Join(append(lines, findings(rel)), "\n")
}

// findings are a release's findings, with each command on its own line.
func findings(rel *v1alpha1.Release) string {
	var lines []string
	for _, f := range rel.Status.Findings {
		lines = append(lines, f.Lines())
	}
	return strings.Join(lines, "\n")
}
