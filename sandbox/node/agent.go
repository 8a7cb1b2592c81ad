package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// Config configures an Agent.
type Config struct {
	// Rest connects to the API server; it needs an administrator's rights.
	Rest *rest.Config
	// Names of the nodes. Default: node-1, node-2.
	Names []string
	// Project of the nodes on Google Cloud. Default acme-prod.
	Project string
	// Zones of the nodes: the first node is in the first zone, and so on, cyclically. Default
	// us-central1-b for all.
	Zones []string
	// Bridge gives every pod its network.
	Bridge *netns.Bridge
	// Registry of the images.
	Registry *registry.Registry
	// TLS is the certificate of the kubelet's API, on netns.HostAddress.
	TLS *tls.Config
	// Dir holds the containers' files and logs.
	Dir string
	// BackoffScale multiplies the kubelet's back-off of 10 s doubling to 5 min for
	// restarts and image pulls. Default 1.
	BackoffScale float64
	// Log receives what the agent cannot report in a pod's status. Default: slog.Default().
	Log *slog.Logger
}

// Agent plays the nodes of a cluster.
type Agent struct {
	Config
	clients kubernetes.Interface
	events  record.EventRecorder
	port    int32             // of the kubelet's API
	bound   map[types.UID]int // pods bound so far, by who made them; owned by sync

	mu      sync.Mutex // guards the fields below
	workers map[types.UID]*worker
	running sync.WaitGroup
}

// Run plays the nodes until ctx ends, then kills all pods' processes and returns.
func Run(ctx context.Context, c Config, ready func()) error {
	a, err := newAgent(c)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return fmt.Errorf("listening for the kubelet's API: %w", err)
	}
	a.port = int32(listener.Addr().(*net.TCPAddr).Port) //nolint:gosec // G115: a port
	stopServing := a.serve(tls.NewListener(listener, c.TLS))
	defer stopServing()
	stopEvents := a.startEvents(ctx)
	defer stopEvents()
	for i, name := range a.Names {
		if err := a.register(ctx, name, a.Zones[i%len(a.Zones)]); err != nil {
			return err
		}
	}
	if err := a.watch(ctx); err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	a.running.Wait()
	return nil
}

func newAgent(c Config) (*Agent, error) {
	if len(c.Names) == 0 {
		c.Names = []string{"node-1", "node-2"}
	}
	c.Project = cmp.Or(c.Project, "acme-prod")
	if len(c.Zones) == 0 {
		c.Zones = []string{"us-central1-b"}
	}
	if c.BackoffScale == 0 {
		c.BackoffScale = 1
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	clients, err := kubernetes.NewForConfig(c.Rest)
	if err != nil {
		return nil, fmt.Errorf("creating the node agent's client: %w", err)
	}
	return &Agent{Config: c, clients: clients, workers: map[types.UID]*worker{}, bound: map[types.UID]int{}}, nil
}

func (a *Agent) startEvents(ctx context.Context) (stop func()) {
	broadcaster := record.NewBroadcaster(record.WithContext(context.WithoutCancel(ctx))) // ends by stop, after the last event
	broadcaster.StartRecordingToSink(&typedv1.EventSinkImpl{Interface: a.clients.CoreV1().Events("")})
	a.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet"})
	return broadcaster.Shutdown
}

// register creates or updates one Node. It only patches, so that concurrent writes by others
// stay.
func (a *Agent) register(ctx context.Context, name, zone string) error {
	nodes := a.clients.CoreV1().Nodes()
	_, err := nodes.Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelTopologyZone: zone},
		},
		// Google's controllers read here where a node is, and that it has pods.
		Spec: corev1.NodeSpec{
			ProviderID: fmt.Sprintf("gce://%s/%s/%s", a.Project, zone, name),
			PodCIDR:    netns.PodRange, PodCIDRs: []string{netns.PodRange},
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("registering node %s: %w", name, err)
	}
	status, err := json.Marshal(map[string]any{"status": a.nodeStatus(name)})
	if err != nil {
		return fmt.Errorf("encoding the status of node %s: %w", name, err)
	}
	if _, err := nodes.PatchStatus(ctx, name, status); err != nil {
		return fmt.Errorf("reporting the status of node %s: %w", name, err)
	}
	// The node controller, which would remove this from a ready node, does not run.
	untaint := []byte(`{"spec":{"taints":null}}`)
	if _, err := nodes.Patch(ctx, name, types.MergePatchType, untaint, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("removing the taints of node %s: %w", name, err)
	}
	return nil
}

func (a *Agent) nodeStatus(name string) corev1.NodeStatus {
	resources := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods:   resource.MustParse("500"),
	}
	return corev1.NodeStatus{
		Capacity:    resources,
		Allocatable: resources,
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
			Message: "the sandbox's node agent is running", LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
		}},
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: netns.HostAddress},
			{Type: corev1.NodeHostName, Address: name},
		},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: a.port}},
		NodeInfo: corev1.NodeSystemInfo{
			OperatingSystem: "linux", KubeletVersion: "v1.37.2-turnout", ContainerRuntimeVersion: "turnout://1",
		},
	}
}

// watch follows all pods until ctx ends; it returns once the first list is in.
func (a *Agent) watch(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(a.clients, 0)
	pods := factory.Core().V1().Pods().Informer()
	if _, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { a.sync(ctx, o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { a.sync(ctx, o.(*corev1.Pod)) },
		DeleteFunc: func(o any) { a.forget(o) },
	}); err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced) {
		return fmt.Errorf("waiting for the list of pods: %w", ctx.Err())
	}
	return nil
}

// sync binds a new pod, or passes a bound pod's new state to its worker.
func (a *Agent) sync(ctx context.Context, pod *corev1.Pod) {
	if pod.Spec.NodeName == "" {
		if pod.DeletionTimestamp == nil {
			a.bind(ctx, pod)
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if w, ok := a.workers[pod.UID]; ok {
		w.update(pod)
		return
	}
	if !a.isOurs(pod.Spec.NodeName) || isOver(pod) && pod.DeletionTimestamp == nil {
		return
	}
	w := newWorker(a, pod)
	a.workers[pod.UID] = w
	a.running.Go(func() {
		w.run(ctx)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.workers, pod.UID)
	})
}

func (a *Agent) isOurs(node string) bool {
	return slices.Contains(a.Names, node)
}

// bind puts a pod on the next node. The pods of one ReplicaSet go to all nodes in turn, as
// schedulers spread them over zones.
func (a *Agent) bind(ctx context.Context, pod *corev1.Pod) {
	var owner types.UID
	if o := metav1.GetControllerOf(pod); o != nil {
		owner = o.UID
	}
	name := a.Names[a.bound[owner]%len(a.Names)]
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: name},
	}
	err := a.clients.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{})
	switch {
	case err == nil: // a pod that changes before it is bound comes twice
		a.bound[owner]++
		a.events.Eventf(pod, corev1.EventTypeNormal, "Scheduled", "Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, name)
	case apierrors.IsConflict(err), apierrors.IsNotFound(err), ctx.Err() != nil: // bound or deleted meanwhile
	default:
		a.Log.ErrorContext(ctx, "bind pod", "namespace", pod.Namespace, "pod", pod.Name, "error", err)
	}
}

// forget kills what is left of a pod that no longer exists.
func (a *Agent) forget(o any) {
	if tombstone, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = tombstone.Obj
	}
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	a.mu.Lock()
	w := a.workers[pod.UID]
	a.mu.Unlock()
	if w != nil {
		w.abandon(errGone)
	}
}

// errGone ends a worker whose pod was deleted without grace.
var errGone = errors.New("the pod no longer exists")

// worker returns the worker of a pod.
func (a *Agent) worker(namespace, name string) *worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.workers {
		if w.namespace == namespace && w.name == name {
			return w
		}
	}
	return nil
}

// backoff is the kubelet's wait before the next try: 10 s, doubled for each
// failure after the first, at most 5 minutes.
func (a *Agent) backoff(failures int) time.Duration {
	wait := 10 * time.Second
	for ; failures > 1 && wait < 5*time.Minute; failures-- {
		wait *= 2
	}
	return time.Duration(float64(min(wait, 5*time.Minute)) * a.BackoffScale)
}

func isOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
