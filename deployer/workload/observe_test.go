package workload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func TestMissingObjectsAreData(t *testing.T) {
	w := newWorld(t)
	want := track.Side{
		Color: v1alpha1.Green, Deployment: "shop-green", Service: "shop-green-svc",
		Progress: "Deployment shop-green does not exist",
	}
	if diff := cmp.Diff(want, w.observe(v1alpha1.Green)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestRolledOutMeansEveryPodOfTheNewVersionAndNoneOfAnOlder(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	if s := w.awaitState(v1alpha1.Green, "the empty ReplicaSet", func(s track.Side) bool { return s.Progress == "scaled to 0" }); s.RolledOut {
		t.Error("a colour of size 0 counts as rolled out")
	}
	w.stage(request("shop-abc-1"))
	s := w.awaitState(v1alpha1.Green, "three pods", func(s track.Side) bool { return len(s.Pods) == 3 })
	for _, p := range s.Pods[:2] {
		w.kubelet(p.Name, running)
	}
	s = w.awaitState(v1alpha1.Green, "two available pods", func(s track.Side) bool { return s.Available == 2 })
	if s.RolledOut || s.Progress != "2 of 3 pods available" {
		t.Errorf("rolled out is %t with progress %q", s.RolledOut, s.Progress)
	}
	w.kubelet(s.Pods[2].Name, running)
	s = w.awaitState(v1alpha1.Green, "the rollout", func(s track.Side) bool { return s.RolledOut })

	live := w.observe(v1alpha1.Blue)
	want := track.Side{
		Color: v1alpha1.Green, Deployment: "shop-green", Service: "shop-green-svc", DeploymentExists: true, ServiceExists: true,
		Replicas: 3, Containers: []string{"app"}, Container: "app", Image: image, RunningImage: image, Commit: "abc", Release: "shop-abc-1",
		SwitchedBy: "shop-abc-1", RolledOut: true, Updated: 3, Available: 3, Progress: "3 of 3 pods available",
		ServiceColored: true, DeploymentColored: true,
		Selector:    map[string]string{"app": "shop", "version": "green"},
		MatchLabels: map[string]string{"app": "shop", "slot": "a", "version": "green"},
		Labels:      map[string]string{"app": "shop", "slot": "a", "tier": "web", "version": "green"},
		Ports:       []track.Port{{Name: "http", Number: 80, Pod: 8080}}, Probe: &track.Probe{Path: "/healthz", Port: 8080, Scheme: "HTTP"},
	}
	if diff := cmp.Diff(want, s, cmpopts.IgnoreFields(track.Side{}, "DeploymentUID", "Generation", "TemplateHash", "Pods")); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if want := (track.Autoscaler{Name: "shop", Min: 4, Max: 9, Current: 4}); live.Autoscaler != want {
		t.Errorf("the autoscaler is %+v, want %+v", live.Autoscaler, want)
	}

	// The next version: the old pods stay until the new ones are available.
	w.stage(request("shop-abc-2"))
	now := w.observe(v1alpha1.Green)
	if now.RolledOut {
		t.Error("the old version's pods count as the new one's")
	}
	now = w.awaitState(v1alpha1.Green, "a pod of the next version",
		func(now track.Side) bool { return len(now.Pods) == 1 && strings.Contains(now.Progress, "older") })
	if now.TemplateHash == s.TemplateHash || now.Release != "shop-abc-2" {
		t.Errorf("hash %s and release %s are the old version's", now.TemplateHash, now.Release)
	}
	if want := "0 of 3 pods available, 3 of an older version left"; now.Progress != want {
		t.Errorf("progress %q, want %q", now.Progress, want)
	}
}

func TestPodsThatCannotBeCreatedForQuotaAreNoticed(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	quota := &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("0")}}}
	quota.Namespace, quota.Name = w.namespace, "none"
	if err := w.Client.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	w.await("the quota to be counted", func() bool {
		return w.Client.Get(t.Context(), w.key("none"), quota) == nil && len(quota.Status.Hard) > 0
	})
	w.stage(request("shop-abc-1"))
	s := w.awaitState(v1alpha1.Green, "the controller's complaint",
		func(s track.Side) bool { return !s.LookAgainAt.IsZero() || s.Failure != nil })
	if s.Failure != nil {
		t.Errorf("failed at once with %+v; want a grace time", s.Failure)
	}
}

func TestEvidenceOfACrashLoopIsComplete(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	w.stage(request("shop-abc-1"))
	s := w.awaitState(v1alpha1.Green, "three pods", func(s track.Side) bool { return len(s.Pods) == 3 })
	pod := s.Pods[1].Name
	w.kubelet(pod, func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "app", RestartCount: 1,
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}},
		}}
	})
	s = w.observe(v1alpha1.Green)
	code := int32(3)
	want := []v1alpha1.Evidence{{
		Pod: pod, Container: "app", Reason: "CrashLoopBackOff", ExitCode: &code,
		Message: "pod " + pod + ": container app keeps ending with exit code 3 (restarts: 1)",
	}}
	// No kubelet serves logs here, so the evidence is everything else.
	if diff := cmp.Diff(want, w.Evidence(t.Context(), w.bg, s)); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

func TestAPodOfAnOlderVersionKeepsARolloutOpen(t *testing.T) {
	one, two := int32(1), int32(2)
	o := objects{
		deployment: &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &one}}, pods: make([]corev1.Pod, 1),
		current: &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Replicas: &one}},
	}
	if rolledOut(o) {
		t.Error("the only pod is not ready, but the Deployment counts as rolled out")
	}
	o.pods[0].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if !rolledOut(o) {
		t.Error("the only pod is ready, but the Deployment does not count as rolled out")
	}
	o.current.Spec.Replicas = &two
	if rolledOut(o) {
		t.Error("the ReplicaSet still has another size, but the Deployment counts as rolled out")
	}
	o.current.Spec.Replicas = &one
	o.deployment.Spec.MinReadySeconds = 5
	if rolledOut(o) {
		t.Error("the only pod is not ready for minReadySeconds, but the Deployment counts as rolled out")
	}
	o.current.Status.AvailableReplicas = 1
	if !rolledOut(o) {
		t.Error("the only pod is available, but the Deployment does not count as rolled out")
	}
	o.older = []appsv1.ReplicaSet{{Status: appsv1.ReplicaSetStatus{Replicas: 1}}}
	if rolledOut(o) {
		t.Error("a pod of an older version is left, but the Deployment counts as rolled out")
	}
}
