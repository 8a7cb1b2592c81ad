package deployer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// kubelet writes the status of a namespace's pods as a kubelet would: running and ready at once,
// except for images that a test declares broken.
type kubelet struct {
	kube client.WithWatch

	mu sync.Mutex
	// broken images and pods crash on start; held ones start but are not ready; lingering ones use
	// all of their grace period.
	broken, held, lingering map[string]bool
	// migrate says how the command of a migration's pod ends; it runs on while that is nil.
	migrate func(*corev1.Pod) *corev1.ContainerStateTerminated
	// unpulled is why the images of migrations cannot be pulled; "" if they can.
	unpulled string
	// migrated are the pods of migrations whose command has started.
	migrated map[types.UID]bool
	pods     map[string]*corev1.Pod
	next     int
}

// nodeName is the only node. EndpointSlices omit pods without a node.
const nodeName = "node-1"

func startKubelet(t testing.TB, cfg *rest.Config, namespace string) *kubelet {
	t.Helper()
	kube, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme()})
	check(t, err)
	k := &kubelet{
		kube: kube, broken: map[string]bool{}, held: map[string]bool{}, lingering: map[string]bool{}, pods: map[string]*corev1.Pod{},
		migrate: endsWith(0, ""), migrated: map[types.UID]bool{},
	}
	// The test's context ends before the clean-up that deletes pods.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	w, err := kube.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range w.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				k.handle(ctx, event.Type, pod)
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		w.Stop()
		<-done
	})
	return k
}

func (k *kubelet) handle(ctx context.Context, event watch.EventType, pod *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if event == watch.Deleted {
		delete(k.pods, pod.Name)
		return
	}
	k.pods[pod.Name] = pod
	if pod.DeletionTimestamp != nil {
		if k.match(k.lingering, pod.Name) {
			return
		}
		zero := int64(0)
		_ = k.kube.Delete(ctx, pod, &client.DeleteOptions{GracePeriodSeconds: &zero})
		return
	}
	if pod.Labels[v1alpha1.MigrationLabel] != "" {
		k.runMigration(ctx, pod)
		return
	}
	switch ready := conditionOf(pod, corev1.PodReady); {
	case pod.Status.Phase == corev1.PodPending:
		k.start(ctx, pod)
	case ready != nil && ready.Reason == "ReadinessGatesNotReady":
		// A gate may have opened since; the pod's next change brings it back here.
		pod = pod.DeepCopy()
		becomeReady(pod, &pod.Status.ContainerStatuses[0])
		if conditionOf(pod, corev1.PodReady).Status == corev1.ConditionTrue {
			_ = k.kube.Status().Update(ctx, pod)
		}
	}
}

// start writes a pod's first status.
func (k *kubelet) start(ctx context.Context, pod *corev1.Pod) {
	image := pod.Spec.Containers[0].Image
	if pod.Spec.NodeName == "" {
		// Binding changes the pod, which brings it back here.
		_ = k.kube.SubResource("binding").Create(ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}})
		return
	}
	k.next++
	pod = pod.DeepCopy()
	status := corev1.ContainerStatus{Name: "app", Image: image, ImageID: imageID(image)}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIP = fmt.Sprintf("10.99.%d.%d", k.next/250, k.next%250+1)
	pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
	switch {
	case k.match(k.broken, image+" "+pod.Name):
		exit := corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}
		status.RestartCount = 2
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container"}
		status.LastTerminationState.Terminated = &exit
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	case k.match(k.held, image+" "+pod.Name):
		status.State.Running = &corev1.ContainerStateRunning{}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	default:
		becomeReady(pod, &status)
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	if err := k.kube.Status().Update(ctx, pod); err == nil {
		k.pods[pod.Name] = pod
	}
}

func becomeReady(pod *corev1.Pod, status *corev1.ContainerStatus) {
	started := true
	status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	status.Ready, status.Started = true, &started
	pod.Status.Conditions = append([]corev1.PodCondition{
		{Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}, otherConditions(pod)...)
	for _, gate := range pod.Spec.ReadinessGates {
		if c := conditionOf(pod, gate.ConditionType); c == nil || c.Status != corev1.ConditionTrue {
			pod.Status.Conditions[1].Status, pod.Status.Conditions[1].Reason = corev1.ConditionFalse, "ReadinessGatesNotReady"
		}
	}
}

// otherConditions are the conditions that the kubelet does not write.
func otherConditions(pod *corev1.Pod) (others []corev1.PodCondition) {
	for _, gate := range pod.Spec.ReadinessGates {
		if c := conditionOf(pod, gate.ConditionType); c != nil {
			others = append(others, *c)
		}
	}
	return others
}

func conditionOf(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// imageID is the digest that a kubelet reports. A tag's digest is derived from it.
func imageID(image string) string {
	if strings.Contains(image, "@sha256:") {
		return image
	}
	repository, tag, _ := strings.Cut(image, ":")
	return repository + "@sha256:" + fmt.Sprintf("%064x", tag)[:64]
}

func (k *kubelet) match(images map[string]bool, image string) bool {
	for part := range images {
		if strings.Contains(image, part) {
			return true
		}
	}
	return false
}

// crash makes pods with this text in their name, or in that of their image, crash on start.
func (k *kubelet) crash(image string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken[image] = true
}

// hold keeps pods with this text in their name, or in that of their image, from getting ready.
func (k *kubelet) hold(image string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[image] = true
}

// linger makes pods with this text in their name use all of their grace period.
func (k *kubelet) linger(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lingering[name] = true
}

// release makes the held pods ready.
func (k *kubelet) release(t testing.TB, image string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.held, image)
	for name := range k.pods {
		pod := &corev1.Pod{}
		err := k.kube.Get(t.Context(), client.ObjectKeyFromObject(k.pods[name]), pod)
		if apierrors.IsNotFound(err) || !strings.Contains(pod.Spec.Containers[0].Image+" "+pod.Name, image) || pod.DeletionTimestamp != nil {
			continue
		}
		check(t, err)
		if len(pod.Status.ContainerStatuses) == 0 {
			continue // not started yet; nothing holds it when it does
		}
		becomeReady(pod, &pod.Status.ContainerStatuses[0])
		check(t, k.kube.Status().Update(t.Context(), pod))
	}
}

// starts reports whether a pod with this text in its name, or in that of its image, runs.
func (k *kubelet) starts(image string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pod := range k.pods {
		if strings.Contains(pod.Spec.Containers[0].Image+" "+pod.Name, image) && pod.Status.Phase == corev1.PodRunning {
			return true
		}
	}
	return false
}
