package workload

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// refused is why Kubernetes could not create the pod of a Job, such as a quota; "" if it says nothing.
// Only an event tells it: a Job has no condition for it. Events get lost, and reading them may fail, so
// that there is none shows nothing.
func (m *Migrations) refused(ctx context.Context, namespace string, job types.UID) string {
	var list corev1.EventList
	of := client.MatchingFields{"involvedObject.uid": string(job), "reason": "FailedCreate"}
	if err := m.Reader.List(ctx, &list, client.InNamespace(namespace), of); err != nil {
		return ""
	}
	var last *corev1.Event
	for i := range list.Items {
		if e := &list.Items[i]; last == nil || last.LastTimestamp.Before(&e.LastTimestamp) {
			last = e
		}
	}
	if last == nil {
		return ""
	}
	return prose.Line(last.Message, 500)
}

// podEnded reports whether no container of a pod runs or will run.
func podEnded(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// migrationPod is what a migration's pod reports. Its only container that is no init container
// runs the command.
func migrationPod(p *corev1.Pod) track.MigrationPod {
	o := track.MigrationPod{Name: p.Name, Ended: podEnded(p), Placed: p.Spec.NodeName != "", Waiting: "it waits for a node"}
	if o.Placed {
		o.Waiting = "its node has not started it"
	}
	if p.Status.Message != "" {
		o.Waiting = prose.Line(p.Status.Message, 500)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			o.Waiting = prose.Line(c.Message, 500)
		}
		// The node is gone, and its kubelet cannot say what ran there.
		o.Lost = o.Lost || c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && c.Reason == "DeletionByPodGC"
	}
	restarts := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		restarts[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	for _, c := range p.Status.InitContainerStatuses {
		if end := c.State.Terminated; end != nil && end.ExitCode != 0 && !restarts[c.Name] {
			o.ExitCode, o.Container, o.Reason = &end.ExitCode, c.Name, end.Reason
		}
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "PodInitializing":
			o.Waiting = waitingText(c)
		case restarts[c.Name] && c.State.Running != nil && c.Started != nil && !*c.Started:
			o.Waiting = "container " + c.Name + " has not passed its startup probe"
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		o.Lost = o.Lost || lost(c)
		switch end := c.State.Terminated; {
		case end != nil && unstartable[end.Reason]:
			o.ExitCode, o.Container, o.Reason, o.Unstartable = &end.ExitCode, c.Name, end.Reason, true
			o.Message = prose.Line(end.Reason+" "+end.Message, 500)
		case end != nil && (!end.StartedAt.IsZero() || end.ExitCode == 0):
			o.StartedAt, o.ExitCode, o.Container, o.Reason = end.StartedAt.Time, &end.ExitCode, c.Name, end.Reason
			o.Message = prose.Line(end.Message, 500)
		case c.State.Running != nil:
			o.StartedAt, o.Container = c.State.Running.StartedAt.Time, c.Name
		case c.State.Waiting != nil && c.State.Waiting.Reason != "PodInitializing":
			o.Waiting = waitingText(c)
		}
	}
	return o
}

// unstartable are the reasons of a container whose command does not exist, or may not be executed.
// Container runtimes let it start in 1970.
var unstartable = map[string]bool{"StartError": true, "ContainerCannotRun": true}

// lost reports whether a kubelet no longer knows what became of a container that may have run: one
// that a runtime had made. It says the same of one that it never made when its pod ends, but without
// an ID and without an earlier end.
func lost(c corev1.ContainerStatus) bool {
	end := c.State.Terminated
	return end != nil && end.StartedAt.IsZero() && end.ExitCode != 0 && (c.ContainerID != "" || c.LastTerminationState.Terminated != nil)
}

func waitingText(c corev1.ContainerStatus) string {
	return prose.Line("container "+c.Name+": "+c.State.Waiting.Reason+" "+c.State.Waiting.Message, 500)
}
