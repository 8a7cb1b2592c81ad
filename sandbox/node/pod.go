package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/turnout-dev/turnout/sandbox/netns"
)

// worker runs one pod.
type worker struct {
	agent           *Agent
	namespace, name string
	dir             string
	started         metav1.Time
	deleting        chan struct{} // closed when deletion is asked for
	gone            context.CancelCauseFunc
	changed         chan struct{} // capacity 1: the status is to be written

	mu         sync.Mutex // guards the fields below and the containers' states
	pod        *corev1.Pod
	network    *netns.Pod
	containers []*container // init containers first, in the spec's order
}

func newWorker(a *Agent, pod *corev1.Pod) *worker {
	w := &worker{
		agent: a, namespace: pod.Namespace, name: pod.Name, pod: pod,
		dir:      filepath.Join(a.Dir, "pods", string(pod.UID)),
		started:  metav1.Now().Rfc3339Copy(),
		deleting: make(chan struct{}), changed: make(chan struct{}, 1),
		gone: func(error) {},
	}
	for i := range pod.Spec.InitContainers {
		w.containers = append(w.containers, newContainer(w, &pod.Spec.InitContainers[i], true))
	}
	for i := range pod.Spec.Containers {
		w.containers = append(w.containers, newContainer(w, &pod.Spec.Containers[i], false))
	}
	if pod.DeletionTimestamp != nil {
		close(w.deleting)
	}
	return w
}

// update takes over the pod's new state.
func (w *worker) update(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !isNewer(pod, w.pod) {
		return // our own patch was faster than the watch
	}
	if pod.DeletionTimestamp != nil && w.pod.DeletionTimestamp == nil {
		close(w.deleting)
	}
	w.pod = pod
	w.poke() // a readiness gate may have changed
}

// abandon kills everything at once.
func (w *worker) abandon(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone(why)
}

// poke requests a write of the status.
func (w *worker) poke() {
	select {
	case w.changed <- struct{}{}:
	default: // asked for already
	}
}

// current returns the pod as last seen.
func (w *worker) current() *corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pod
}

// run owns the pod from its start to its deletion.
func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.mu.Lock()
	w.gone = cancel
	w.mu.Unlock()
	var reporting sync.WaitGroup
	reporting.Go(func() { w.report(ctx) })
	defer reporting.Wait()
	defer cancel(nil) // before the wait

	if err := w.setUp(); err != nil {
		w.agent.events.Eventf(w.current(), corev1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: %v", err)
		w.agent.Log.ErrorContext(ctx, "set up pod", "namespace", w.namespace, "pod", w.name, "error", err)
	} else {
		w.runContainers(ctx)
	}
	select {
	case <-w.deleting:
	case <-ctx.Done():
	}
	w.tearDown()
	if ctx.Err() == nil {
		w.finish(ctx)
	}
}

func (w *worker) setUp() error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil { //nolint:gosec // G301: containers work below it
		return fmt.Errorf("creating the pod's directory: %w", err)
	}
	network, err := w.agent.Bridge.Plug()
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.network = network
	w.mu.Unlock()
	w.poke()
	return nil
}

// runContainers runs the init containers one after the other, then all others. It returns when
// every process has ended for good. A sidecar goes on beside the containers after it; once those
// have ended, the sidecars are stopped, the last one first.
func (w *worker) runContainers(ctx context.Context) {
	var others sync.WaitGroup
	defer others.Wait()
	for _, c := range w.containers {
		switch {
		case c.isSidecar():
			stop := w.runSidecar(ctx, c)
			defer stop()
			select {
			case <-c.begun:
			case <-w.deleting:
				return
			case <-ctx.Done():
				return
			}
		case c.isInit:
			c.run(ctx)
			if !c.succeeded() {
				return
			}
		default:
			others.Go(func() { c.run(ctx) })
		}
	}
	others.Wait()
}

// runSidecar starts a sidecar. The returned function stops it and waits for its end.
func (w *worker) runSidecar(ctx context.Context, c *container) (stop func()) {
	end := make(chan struct{})
	c.end = end
	var running sync.WaitGroup
	running.Go(func() { c.run(ctx) })
	return func() {
		close(end)
		running.Wait()
	}
}

func (w *worker) tearDown() {
	w.mu.Lock()
	network := w.network
	w.mu.Unlock()
	if network != nil {
		network.Close()
	}
	_ = os.RemoveAll(w.dir) // what is left over goes with the sandbox's directory
}

// finish writes the last status and removes the object, as a kubelet does once all the pod's
// processes have ended.
func (w *worker) finish(ctx context.Context) {
	w.write(ctx)
	now := int64(0)
	pod := w.current()
	err := w.agent.clients.CoreV1().Pods(w.namespace).Delete(ctx, w.name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		Preconditions:      &metav1.Preconditions{UID: &pod.UID},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		w.agent.Log.ErrorContext(ctx, "delete pod", "namespace", w.namespace, "pod", w.name, "error", err)
	}
}

// report writes the status whenever something changed, until ctx ends.
func (w *worker) report(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		case <-retry.C:
		}
		if !w.write(ctx) {
			retry.Reset(time.Second)
		}
	}
}

// write updates the pod's status by a patch, as the kubelet does, which leaves others' conditions
// alone. It reports whether it succeeded.
func (w *worker) write(ctx context.Context) bool {
	w.mu.Lock()
	pod, status := w.pod, w.status()
	w.mu.Unlock()
	patch, err := statusPatch(pod, status)
	if err != nil || patch == nil {
		return err == nil
	}
	written, err := w.agent.clients.CoreV1().Pods(pod.Namespace).Patch(
		ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) || ctx.Err() != nil {
		return true // gone, or a pod of the same name took its place
	}
	if err != nil {
		w.agent.Log.ErrorContext(ctx, "report pod status", "namespace", w.namespace, "pod", w.name, "error", err)
		return false
	}
	w.update(written)
	return true
}

// statusPatch is the difference between a pod's status and a new one; nil if there is none. It
// contains the pod's uid, so it never hits a namesake.
func statusPatch(pod *corev1.Pod, status corev1.PodStatus) ([]byte, error) {
	if equality.Semantic.DeepEqual(pod.Status, status) {
		return nil, nil
	}
	before, err := json.Marshal(corev1.Pod{Status: pod.Status})
	if err != nil {
		return nil, fmt.Errorf("encoding the old status: %w", err)
	}
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: pod.UID}, Status: status})
	if err != nil {
		return nil, fmt.Errorf("encoding the new status: %w", err)
	}
	return strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
}

// isNewer compares resource versions, which Kubernetes lets clients do.
func isNewer(a, b *corev1.Pod) bool {
	left, errLeft := strconv.ParseUint(a.ResourceVersion, 10, 64)
	right, errRight := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errLeft != nil || errRight != nil || left > right
}
