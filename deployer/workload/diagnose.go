package workload

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// How long a problem must last before it counts, if its message also fits temporary problems.
const (
	// pullPatience is for pulls that fail for other reasons than the image: a registry's hiccup,
	// a node without credentials so far. By then the kubelet has tried about three times (its
	// back-off is 10 s, 20 s, …).
	pullPatience = 60 * time.Second

	// createPatience is for containers and pods that cannot be created: a ConfigMap that
	// is applied a moment later, an admission webhook that restarts. The kubelet retries
	// about every 10 s.
	createPatience = 10 * time.Second

	// hopelessRestarts is how many crashes a container that is not ready may have.
	hopelessRestarts = 2
)

// messageKept bounds a failure's message in bytes: part of it comes from outside, and it
// goes into the record and into comments.
const messageKept = 1 << 10

// finding is a problem, and the time from which it counts as a failure.
type finding struct {
	failure track.Failure
	at      time.Time // zero: at once
}

// diagnose decides whether a rollout is bound to fail. If not yet, it returns when the same
// observation will mean failure. Only pods of the current ReplicaSet count. A pod without room on
// any node is not a failure: nodes may be on their way, and the step's own deadline bounds that.
func diagnose(o objects, now time.Time) (*track.Failure, time.Time) {
	if o.current == nil {
		return nil, time.Time{}
	}
	var again time.Time
	for _, f := range append(findingsOfPods(o.pods), findingsOfSet(o.current)...) {
		if !f.at.After(now) {
			f.failure.Message = prose.Line(f.failure.Message, messageKept)
			return &f.failure, time.Time{}
		}
		if again.IsZero() || f.at.Before(again) {
			again = f.at
		}
	}
	return nil, again
}

// findingsOfSet looks for pods that cannot even be created. The controller writes
// FailedCreate for both quota and admission.
func findingsOfSet(set *appsv1.ReplicaSet) []finding {
	for _, c := range set.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue && c.Reason == string(v1alpha1.FailedCreate) {
			return []finding{{
				failure: track.Failure{
					Reason: v1alpha1.FailedCreate, Message: fmt.Sprintf("ReplicaSet %s cannot create pods: %s", set.Name, c.Message),
				},
				at: c.LastTransitionTime.Add(createPatience),
			}}
		}
	}
	return nil
}

func findingsOfPods(pods []corev1.Pod) []finding {
	var all []finding
	for _, p := range pods {
		if p.DeletionTimestamp != nil {
			continue
		}
		for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if f, ok := findingOf(p, c); ok {
				all = append(all, f)
			}
		}
	}
	return all
}

// findingOf reads one container's status.
func findingOf(p corev1.Pod, c corev1.ContainerStatus) (finding, bool) {
	if c.Ready {
		return finding{}, false
	}
	since := startedTrying(p)
	f := finding{failure: track.Failure{Pod: p.Name, Container: c.Name}}
	if w := c.State.Waiting; w != nil {
		f.failure.Reason = v1alpha1.FailureReason(w.Reason)
		switch f.failure.Reason { //nolint:exhaustive // a waiting container has no other
		case v1alpha1.FailedInvalidImageName, v1alpha1.FailedErrImageNeverPull:
			return f.saying("the image %s cannot be used: %s", c.Image, w.Message), true
		case v1alpha1.FailedErrImagePull, v1alpha1.FailedImagePullBackOff:
			if !hopelessPull(w.Message) {
				f.at = since.Add(pullPatience)
			}
			return f.saying("the image %s cannot be pulled: %s", c.Image, w.Message), true
		case v1alpha1.FailedCreateContainerConfigError, v1alpha1.FailedCreateContainerError, v1alpha1.FailedRunContainerError:
			f.at = since.Add(createPatience)
			return f.saying("container %s cannot be started: %s", c.Name, w.Message), true
		}
	}
	return crashOf(f, c)
}

// crashOf looks for a container that starts but does not stay up.
func crashOf(f finding, c corev1.ContainerStatus) (finding, bool) {
	last := c.State.Terminated
	if last == nil {
		last, f.failure.Previous = c.LastTerminationState.Terminated, true
	}
	if last != nil {
		f.failure.ExitCode = &last.ExitCode
	}
	looping := c.State.Waiting != nil && c.State.Waiting.Reason == string(v1alpha1.FailedCrashLoopBackOff)
	switch {
	case last != nil && last.Reason == string(v1alpha1.FailedOOMKilled):
		f.failure.Reason = v1alpha1.FailedOOMKilled
		return f.saying("container %s was killed for using more memory than its limit", c.Name), true
	case looping, c.RestartCount >= hopelessRestarts:
		f.failure.Reason = v1alpha1.FailedCrashLoopBackOff
		return f.saying("container %s %s (restarts: %d)", c.Name, ending(last), c.RestartCount), true
	}
	return finding{}, false
}

func (f finding) saying(format string, args ...any) finding {
	f.failure.Message = fmt.Sprintf("pod %s: %s", f.failure.Pod, strings.TrimSuffix(fmt.Sprintf(format, args...), ": "))
	return f
}

func ending(t *corev1.ContainerStateTerminated) string {
	switch {
	case t == nil:
		return "keeps ending"
	case t.Signal != 0:
		return fmt.Sprintf("keeps ending by signal %d", t.Signal)
	}
	return fmt.Sprintf("keeps ending with exit code %d", t.ExitCode)
}

// startedTrying is the time from which the kubelet could start a pod's containers, by the pod's
// conditions: a waiting container's own status has no time.
func startedTrying(p corev1.Pod) time.Time {
	since := p.CreationTimestamp.Time
	for _, c := range p.Status.Conditions {
		begun := c.Type == corev1.PodScheduled || c.Type == corev1.PodInitialized
		if begun && c.Status == corev1.ConditionTrue && c.LastTransitionTime.After(since) {
			since = c.LastTransitionTime.Time
		}
	}
	return since
}

// hopelessPull reports whether a registry's answer means that no further attempt can succeed:
// there is no such image, or no right to pull it. The words are containerd's and those of the
// registries' own error codes (OCI distribution specification).
func hopelessPull(message string) bool {
	message = strings.ToLower(message)
	for _, words := range []string{
		"not found", "manifest unknown", "manifest_unknown", "name unknown", "name_unknown", "does not exist",
		"denied", "unauthorized", "forbidden", "no match for platform", "no matching manifest",
	} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}
