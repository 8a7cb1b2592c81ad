package node

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	kubeletstatus "k8s.io/kubernetes/pkg/kubelet/status"

	"github.com/turnout-dev/turnout/sandbox/netns"
)

// status is the pod's status as a kubelet writes it. The worker's lock is held.
func (w *worker) status() corev1.PodStatus {
	pod := w.pod
	status := *pod.Status.DeepCopy()
	status.ObservedGeneration = podutil.CalculatePodStatusObservedGeneration(pod)
	status.StartTime = &w.started
	status.HostIP = netns.HostAddress
	status.HostIPs = []corev1.HostIP{{IP: netns.HostAddress}}
	if w.network != nil {
		status.PodIP = w.network.IP.String()
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}
	status.InitContainerStatuses, status.ContainerStatuses = nil, nil
	for _, c := range w.containers {
		if c.isInit {
			status.InitContainerStatuses = append(status.InitContainerStatuses, c.status())
		} else {
			status.ContainerStatuses = append(status.ContainerStatuses, c.status())
		}
	}
	status.Phase = w.phase(status)
	w.setConditions(&status)
	return status
}

// setConditions computes the four conditions that are the kubelet's with its own
// functions; the order matters, as Ready looks at those before it.
func (w *worker) setConditions(status *corev1.PodStatus) {
	old := &w.pod.Status
	all := append(slices.Clone(status.InitContainerStatuses), status.ContainerStatuses...)
	ready := kubeletstatus.GeneratePodReadyCondition(w.pod, old, status.Conditions, all, status.Phase)
	network := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionFalse}
	if w.network != nil {
		network.Status = corev1.ConditionTrue
	}
	conditions := []corev1.PodCondition{
		network,
		kubeletstatus.GeneratePodInitializedCondition(w.pod, old, all, status.Phase),
		ready,
		kubeletstatus.GenerateContainersReadyCondition(w.pod, old, all, status.Phase),
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	}
	for i := range conditions {
		conditions[i].ObservedGeneration = podutil.CalculatePodConditionObservedGeneration(old, w.pod.Generation, conditions[i].Type)
		podutil.UpdatePodCondition(status, &conditions[i])
	}
}

// phase follows the kubelet's getPhase: pending until every container has
// started once, over when none runs and none will be restarted.
func (w *worker) phase(status corev1.PodStatus) corev1.PodPhase {
	if isOver(w.pod) {
		return w.pod.Status.Phase // final
	}
	for i := range status.InitContainerStatuses {
		s := &status.InitContainerStatuses[i]
		if w.containers[i].isSidecar() { // init containers come first
			if !w.containers[i].hasBegun() {
				return corev1.PodPending
			}
			continue
		}
		done := s.State.Terminated
		if done != nil && done.ExitCode != 0 && w.pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
			return corev1.PodFailed
		}
		if done == nil || done.ExitCode != 0 {
			return corev1.PodPending
		}
	}
	failed, ended := false, 0
	for i := range status.ContainerStatuses {
		s := &status.ContainerStatuses[i]
		if s.State.Waiting != nil && s.LastTerminationState.Terminated == nil {
			return corev1.PodPending
		}
		if done := s.State.Terminated; done != nil && (w.isDeleting() || !w.restarts(s.Name, done.ExitCode)) {
			ended++
			failed = failed || done.ExitCode != 0
		}
	}
	switch {
	case ended < len(status.ContainerStatuses):
		return corev1.PodRunning
	case failed:
		return corev1.PodFailed
	}
	return corev1.PodSucceeded
}

// restarts tells whether a container that ended like this is started again.
func (w *worker) restarts(name string, exitCode int32) bool {
	for _, c := range w.containers {
		if c.spec.Name == name {
			return podutil.ContainerShouldRestart(*c.spec, w.pod.Spec, exitCode)
		}
	}
	return false
}

// hasBegun reports whether the container was once started.
func (c *container) hasBegun() bool {
	select {
	case <-c.begun:
		return true
	default:
		return false
	}
}

func (w *worker) isDeleting() bool {
	select {
	case <-w.deleting:
		return true
	default:
		return false
	}
}

// status is the container's status. The worker's lock is held.
func (c *container) status() corev1.ContainerStatus {
	started := c.started
	s := corev1.ContainerStatus{
		Name: c.spec.Name, Image: c.spec.Image, ImageID: c.imageID, ContainerID: c.id,
		RestartCount: c.restarts, State: c.state, LastTerminationState: c.lastState,
		Started: &started, Ready: c.ready,
	}
	if c.isInit && !c.isSidecar() && s.State.Terminated != nil {
		s.Ready = s.State.Terminated.ExitCode == 0
	}
	return s
}

// waiting is the state of a container that does not run.
func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// running is the state of a container that started now.
func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now().Rfc3339Copy()}}
}
