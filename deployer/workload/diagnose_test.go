package workload

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

var scheduled = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func waiting(reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

// crashed is a container that ended, and now waits or runs again.
func crashed(now corev1.ContainerState, restarts, code int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		State: now, RestartCount: restarts,
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error"}},
	}
}

func TestDiagnoseByContainer(t *testing.T) {
	backOff := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	again := crashed(runs, 4, 1)
	again.Ready = true
	ended := corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 137,
		Reason:   "OOMKilled",
	}}}
	for _, c := range []struct {
		name     string
		status   corev1.ContainerStatus
		after    time.Duration // since the pod was scheduled
		reason   string        // of the failure; "": none
		message  string        // a part of it
		again    time.Duration // since the pod was scheduled; 0: no need
		code     int32
		previous bool
	}{
		{name: "starting", status: waiting("ContainerCreating", ""), after: time.Hour},
		{name: "running, not ready", status: corev1.ContainerStatus{State: runs}, after: time.Hour},
		{name: "bad name", status: waiting("InvalidImageName", "couldn't parse"), reason: "InvalidImageName", message: "couldn't parse"},
		{name: "never pulled", status: waiting("ErrImageNeverPull", ""), reason: "ErrImageNeverPull"},
		{name: "no such image", status: waiting("ErrImagePull", "manifest: not found"), reason: "ErrImagePull", message: "cannot be pulled"},
		{name: "no right to it", status: waiting("ImagePullBackOff", "403 Denied"), reason: "ImagePullBackOff"},
		{name: "registry hiccups", status: waiting("ErrImagePull", "i/o timeout"), after: 59 * time.Second, again: time.Minute},
		{name: "registry is gone", status: waiting("ImagePullBackOff", "i/o timeout"), after: time.Minute, reason: "ImagePullBackOff"},
		{
			name: "ConfigMap on its way", status: waiting("CreateContainerConfigError", `configmap "a" not found`), after: 9 * time.Second,
			again: 10 * time.Second,
		},
		{
			name: "ConfigMap missing", status: waiting("CreateContainerConfigError", `configmap "a" not found`), after: 10 * time.Second,
			reason: "CreateContainerConfigError", message: `configmap "a"`,
		},
		{name: "no such command", status: waiting("RunContainerError", "exec: not found"), after: time.Minute, reason: "RunContainerError"},
		{name: "first crash", status: crashed(runs, 1, 1)},
		{name: "crash loop", status: crashed(backOff, 1, 1), reason: "CrashLoopBackOff", message: "exit code 1", code: 1, previous: true},
		{name: "second restart", status: crashed(runs, 2, 7), reason: "CrashLoopBackOff", message: "restarts: 2", code: 7, previous: true},
		{name: "recovered", status: again},
		{name: "out of memory", status: ended, reason: "OOMKilled", message: "memory", code: 137},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
			p.CreationTimestamp = metav1.NewTime(scheduled.Add(-time.Hour)) // waited for a node
			p.Status.Conditions = []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionTrue,
				LastTransitionTime: metav1.NewTime(scheduled),
			}}
			c.status.Name = "app"
			p.Status.ContainerStatuses = []corev1.ContainerStatus{c.status}
			f, at := diagnose(objects{current: &appsv1.ReplicaSet{}, pods: []corev1.Pod{p}}, scheduled.Add(c.after))
			if wantAt := (time.Time{}); c.again != 0 && !at.Equal(scheduled.Add(c.again)) || c.again == 0 && at != wantAt {
				t.Errorf("look again at %v, want %v after the start", at, c.again)
			}
			if c.reason == "" {
				if f != nil {
					t.Errorf("got %+v, want no failure", f)
				}
				return
			}
			if f == nil {
				t.Fatal("got no failure")
			}
			want := track.Failure{
				Reason: v1alpha1.FailureReason(c.reason), Pod: "p", Container: "app", Previous: c.previous, Message: f.Message, ExitCode: f.ExitCode,
			}
			if diff := cmp.Diff(want, *f); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
			if !strings.Contains(f.Message, c.message) || c.code != 0 && (f.ExitCode == nil || *f.ExitCode != c.code) {
				t.Errorf("message %q and exit code %v, want %q and %d", f.Message, f.ExitCode, c.message, c.code)
			}
		})
	}
}

func TestDiagnoseIgnoresWhatIsNobodysFault(t *testing.T) {
	bad := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("InvalidImageName", "")}}
	now := metav1.Now()
	ending := corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}, Status: bad}
	noRoom := corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: "Unschedulable",
	}}}}
	for name, o := range map[string]objects{
		"a pod that is ending":        {current: &appsv1.ReplicaSet{}, pods: []corev1.Pod{ending}},
		"a pod that waits for a node": {current: &appsv1.ReplicaSet{}, pods: []corev1.Pod{noRoom}},
		"no ReplicaSet yet":           {pods: []corev1.Pod{{Status: bad}}},
	} {
		if f, at := diagnose(o, scheduled); f != nil || !at.IsZero() {
			t.Errorf("%s: got %+v at %v, want nothing", name, f, at)
		}
	}
}

func TestDiagnoseOfPodsThatCannotBeCreated(t *testing.T) {
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "rs"}}
	set.Status.Conditions = []appsv1.ReplicaSetCondition{{
		Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate",
		Message: "exceeded quota: none", LastTransitionTime: metav1.NewTime(scheduled),
	}}
	if f, at := diagnose(objects{current: set}, scheduled.Add(time.Second)); f != nil || !at.Equal(scheduled.Add(createPatience)) {
		t.Errorf("after 1s: %+v, look again at %v", f, at)
	}
	want := &track.Failure{Reason: "FailedCreate", Message: "ReplicaSet rs cannot create pods: exceeded quota: none"}
	got, _ := diagnose(objects{current: set}, scheduled.Add(createPatience))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failure (-want +got):\n%s", diff)
	}
}
