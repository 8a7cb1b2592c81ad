package gclb

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// readinessGate is the condition that a pod with this gate waits for.
const readinessGate corev1.PodConditionType = "cloud.google.com/load-balancer-neg-ready"

// Reasons of the condition (pkg/neg/readiness/reflector.go:42-57). All but the
// first come with status True, also where no health check has ever asked the pod.
const (
	reasonNotReady       = "LoadBalancerNegNotReady"
	reasonReady          = "LoadBalancerNegReady"
	reasonUncheckedReady = "LoadBalancerNegWithoutHealthCheck"
	reasonTimeout        = "LoadBalancerNegTimeout"
)

// finding is what a poll of a NEG found out about a pod.
type finding struct {
	neg     negKey
	backend string // the backend service in which it is healthy; "": the NEG is not health-checked
}

// expectedCondition says how a pod's condition should be (reflector.go:188-255).
// negs are those that the pod waits for. The status of a waiting pod is left
// empty, as there: the poller alone says True.
func expectedCondition(found *finding, negs []string, age, timeout time.Duration) corev1.PodCondition {
	c := corev1.PodCondition{Type: readinessGate, Status: corev1.ConditionTrue}
	marking := fmt.Sprintf("Marking condition %q to True.", readinessGate)
	switch {
	case found != nil && found.backend != "":
		c.Reason = reasonReady
		c.Message = fmt.Sprintf("Pod has become Healthy in NEG %q attached to BackendService %q. %s",
			found.neg, fmt.Sprintf("Key{%q}", found.backend), marking)
	case found != nil:
		c.Reason = reasonUncheckedReady
		c.Message = fmt.Sprintf("Pod is in NEG %q. NEG is not attached to any BackendService with health checking. %s", found.neg, marking)
	case len(negs) == 0:
		c.Reason = reasonReady
		c.Message = "Pod does not belong to any NEG. " + marking
	case age > timeout:
		c.Reason = reasonTimeout
		c.Message = fmt.Sprintf("Timeout waiting for pod to become healthy in at least one of the NEG(s): %v. %s", negs, marking)
	default:
		c.Status, c.Reason = "", reasonNotReady
		c.Message = fmt.Sprintf("Waiting for pod to become healthy in at least one of the NEG(s): %v", negs)
	}
	return c
}

// waits tells whether a pod has the gate and its condition is not True. Once it
// is, it is never looked at again, whatever becomes of the pod
// (pkg/neg/readiness/utils.go:152-160).
func waits(pod *corev1.Pod) bool {
	gated := false
	for _, g := range pod.Spec.ReadinessGates {
		gated = gated || g.ConditionType == readinessGate
	}
	c := gateCondition(pod)
	return gated && (c == nil || c.Status != corev1.ConditionTrue)
}

func gateCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == readinessGate {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// reflector tells pods what the load balancer thinks of them.
type reflector struct {
	config   *Config
	compute  *compute
	cluster  *cluster
	clients  kubernetes.Interface
	events   record.EventRecorder
	queue    workqueue.TypedRateLimitingInterface[types.NamespacedName]
	waitsFor func(*corev1.Pod) []string
	running  *sync.WaitGroup // polls

	writing sync.Mutex // one pod is written at a time

	mu    sync.Mutex // guards polls
	polls map[negKey]map[endpoint]types.NamespacedName
}

// follow looks at every pod that comes or changes.
func (r *reflector) follow(ctx context.Context, w *watches) error {
	enqueue := func(o any) {
		if pod := o.(*corev1.Pod); waits(pod) {
			r.queue.Add(keyOf(pod))
		}
	}
	_, err := w.pods.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: enqueue, UpdateFunc: func(_, o any) { enqueue(o) }})
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	context.AfterFunc(ctx, r.queue.ShutDown)
	return nil
}

// run works until the queue is shut down.
func (r *reflector) run(ctx context.Context) {
	for {
		key, over := r.queue.Get()
		if over {
			return
		}
		if err := r.sync(ctx, key, nil); err != nil && ctx.Err() == nil && r.queue.NumRequeues(key) < maxRetries {
			r.queue.AddRateLimited(key)
		} else {
			r.queue.Forget(key)
		}
		r.queue.Done(key)
	}
}

// sync writes a pod's condition, if it waits.
func (r *reflector) sync(ctx context.Context, key types.NamespacedName, found *finding) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	pod := r.cluster.pod(key.Namespace, key.Name)
	if pod == nil || !waits(pod) {
		return nil
	}
	wanted := expectedCondition(found, r.waitsFor(pod), time.Since(pod.CreationTimestamp.Time), r.config.Delays.PodTimeout)
	if have := gateCondition(pod); have != nil && have.Status == wanted.Status && have.Reason == wanted.Reason && have.Message == wanted.Message {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.PodCondition{wanted}}})
	if err != nil {
		return err
	}
	r.events.Event(pod, corev1.EventTypeNormal, wanted.Reason, wanted.Message)
	_, err = r.clients.CoreV1().Pods(key.Namespace).Patch(ctx, key.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// commit takes note of what a NEG has, and polls it as long as one of its pods
// waits.
func (r *reflector) commit(ctx context.Context, key negKey, pods map[endpoint]types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, polling := r.polls[key]
	pods = r.waiting(pods)
	if len(pods) == 0 && !polling {
		return
	}
	r.polls[key] = pods
	if !polling {
		r.running.Go(func() { r.poll(ctx, key) })
	}
}

// waiting leaves out the endpoints whose pods do not wait.
func (r *reflector) waiting(pods map[endpoint]types.NamespacedName) map[endpoint]types.NamespacedName {
	left := maps.Clone(pods)
	maps.DeleteFunc(left, func(_ endpoint, key types.NamespacedName) bool {
		pod := r.cluster.pod(key.Namespace, key.Name)
		return pod == nil || !waits(pod)
	})
	return left
}

// pollBackoff follows an error of the compute API (poller.go:37-46,166-188).
const pollBackoff = 100 * time.Second

// poll asks for the health of a NEG's endpoints until none of its pods waits.
func (r *reflector) poll(ctx context.Context, key negKey) {
	for {
		pods, more := r.nextPoll(key)
		if !more {
			return
		}
		pause := r.config.Delays.PodPoll
		listed, err := r.compute.listEndpoints(key)
		if err != nil {
			pause = pollBackoff
		}
		for pod, found := range findings(key, listed, pods) {
			if err := r.sync(ctx, pod, &found); err != nil && ctx.Err() == nil {
				r.config.Log.InfoContext(ctx, "pod condition not written", "pod", pod.String(), "error", err)
			}
		}
		if sleep(ctx, r.config.scaled(pause)) != nil {
			return
		}
	}
}

// nextPoll tells which endpoints are worth a poll, and forgets a NEG without any.
func (r *reflector) nextPoll(key negKey) (map[endpoint]types.NamespacedName, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.waiting(r.polls[key])
	if len(left) == 0 {
		delete(r.polls, key)
		return nil, false
	}
	r.polls[key] = left
	return left, true
}

// findings are the pods to be marked ready: those that are healthy in a backend
// service; and all, if not one endpoint of the NEG has a health status: it is
// taken for a NEG without health checks. So the first pods of a zone may be
// marked before anybody asked them (poller.go, processHealthStatus;
// kubernetes/ingress-gce#1718).
func findings(key negKey, listed []endpointHealth, pods map[endpoint]types.NamespacedName) map[types.NamespacedName]finding {
	found, checked := map[types.NamespacedName]finding{}, false
	for _, e := range listed {
		checked = checked || len(e.states) > 0
		for backend, state := range e.states {
			if pod, asked := pods[e.endpoint]; asked && state == healthy {
				found[pod] = finding{neg: key, backend: backend}
			}
		}
	}
	if checked {
		return found
	}
	for _, e := range listed {
		if pod, asked := pods[e.endpoint]; asked {
			found[pod] = finding{neg: key}
		}
	}
	return found
}
