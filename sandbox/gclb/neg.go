package gclb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// negController gives Services their network endpoint groups. It knows nothing
// of the Ingress controller: both react to the same change of an Ingress, side by
// side.
type negController struct {
	config  *Config
	compute *compute
	cluster *cluster
	names   namer
	clients kubernetes.Interface
	svcNegs *svcNegWriter
	events  record.EventRecorder
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]
	// commit tells the readiness reflector which endpoints of a NEG are attached.
	commit func(context.Context, negKey, map[endpoint]types.NamespacedName)

	running sync.WaitGroup // syncers and their operations

	mu      sync.Mutex // guards the fields below
	ports   map[types.NamespacedName]map[int32]negPort
	syncers map[string]*syncer // by the NEG's name
}

// follow enqueues the Services that an Ingress refers to, or referred to before,
// and every Service that changes; changed EndpointSlices go to their syncers
// (pkg/neg/controller.go:388-402).
func (c *negController) follow(ctx context.Context, w *watches) error {
	enqueue := func(objects ...any) {
		for _, o := range objects {
			if tombstone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = tombstone.Obj
			}
			if ingress, ok := o.(*networkingv1.Ingress); ok {
				for _, name := range servicesOf(ingress) {
					c.queue.Add(types.NamespacedName{Namespace: ingress.Namespace, Name: name})
				}
			}
		}
	}
	_, err := w.ingresses.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { enqueue(o) }, UpdateFunc: func(old, o any) { enqueue(old, o) }, DeleteFunc: func(o any) { enqueue(o) },
	})
	if err != nil {
		return fmt.Errorf("watching Ingresses: %w", err)
	}
	service := func(o any) { c.queue.Add(keyOf(o)) }
	_, err = w.services.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: service, UpdateFunc: func(_, o any) { service(o) }, DeleteFunc: service,
	})
	if err != nil {
		return fmt.Errorf("watching Services: %w", err)
	}
	slice := func(o any) { c.endpointsChanged(o) }
	_, err = w.slices.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: slice, UpdateFunc: func(_, o any) { slice(o) }, DeleteFunc: slice,
	})
	if err != nil {
		return fmt.Errorf("watching EndpointSlices: %w", err)
	}
	context.AfterFunc(ctx, c.queue.ShutDown)
	return nil
}

// endpointsChanged wakes the syncers of a slice's Service, if they run.
func (c *negController) endpointsChanged(o any) {
	if tombstone, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = tombstone.Obj
	}
	object, ok := o.(metav1.Object)
	if !ok {
		return
	}
	key := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetLabels()["kubernetes.io/service-name"]}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.ports[key] {
		if s := c.syncers[p.neg]; s != nil {
			s.wake()
		}
	}
}

// run works until the queue is shut down, and collects garbage; it returns when
// every syncer has ended.
func (c *negController) run(ctx context.Context) {
	c.running.Go(func() {
		for sleep(ctx, c.config.scaled(c.config.Delays.NEGCollection)) == nil {
			c.collect(ctx)
		}
	})
	for {
		key, over := c.queue.Get()
		if over {
			break
		}
		if err := c.process(ctx, key); err != nil && ctx.Err() == nil {
			if service := c.cluster.service(key.Namespace, key.Name); service != nil {
				c.events.Eventf(service, corev1.EventTypeWarning, "ProcessServiceFailed", "error processing service %q: %v", key, err)
			}
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
	c.running.Wait()
}

// process decides what NEGs a Service needs now. Without any, its syncers stop
// at once and the annotation goes; NEGs and svcneg objects stay until they are
// collected (pkg/neg/controller.go:728-738).
func (c *negController) process(ctx context.Context, key types.NamespacedName) error {
	service := c.cluster.service(key.Namespace, key.Name)
	if service == nil {
		return c.ensureSyncers(ctx, key, nil)
	}
	wanted, err := wantedPorts(service, c.cluster.ourIngresses(), c.names)
	if err != nil {
		return err
	}
	if len(wanted) == 0 {
		if err := c.ensureSyncers(ctx, key, nil); err != nil {
			return err
		}
		return c.annotate(ctx, service, nil)
	}
	// The names are published before the NEGs exist (pkg/neg/controller.go:721-724).
	if err := c.annotate(ctx, service, wanted); err != nil {
		return err
	}
	return c.ensureSyncers(ctx, key, wanted)
}

// annotate writes neg-status, or removes it if no NEG is wanted
// (pkg/neg/controller.go:1023-1039).
func (c *negController) annotate(ctx context.Context, service *corev1.Service, wanted map[int32]negPort) error {
	have, found := service.Annotations[negStatusAnnotation]
	var value any
	if len(wanted) > 0 {
		status := struct {
			Groups map[string]string `json:"network_endpoint_groups"`
			Zones  []string          `json:"zones"`
		}{map[string]string{}, c.cluster.zones()}
		for number, p := range wanted {
			status.Groups[strconv.Itoa(int(number))] = p.neg
		}
		text, err := json.Marshal(status)
		if err != nil {
			return err
		}
		value = string(text)
	}
	if value == nil && !found || value == have && found {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{negStatusAnnotation: value}}})
	if err != nil {
		return err
	}
	_, err = c.clients.CoreV1().Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// ensureSyncers stops the syncers of ports that need no NEGs any more and starts
// those of ports that do.
func (c *negController) ensureSyncers(ctx context.Context, key types.NamespacedName, wanted map[int32]negPort) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for number, p := range c.ports[key] {
		if _, stays := wanted[number]; !stays && c.syncers[p.neg] != nil {
			c.syncers[p.neg].stop()
		}
	}
	if len(wanted) == 0 {
		delete(c.ports, key)
		return nil
	}
	c.ports[key] = wanted
	var errs []error
	for _, p := range wanted {
		if err := c.svcNegs.ensure(ctx, key.Namespace, key.Name, p.neg, p.number); err != nil {
			errs = append(errs, err)
			continue
		}
		s := c.syncers[p.neg]
		if s == nil {
			s = c.newSyncer(key, p)
			c.syncers[p.neg] = s
		}
		s.start(ctx)
	}
	return errors.Join(errs...)
}

func (c *negController) newSyncer(service types.NamespacedName, p negPort) *syncer {
	return &syncer{
		config: c.config, compute: c.compute, service: service, port: p, needInit: true,
		endpoints: func() (map[string]endpointSet, map[endpoint]types.NamespacedName, bool) {
			all := c.cluster.slicesOf(service.Namespace, service.Name)
			zones, pods := targetEndpoints(all, p.name, c.cluster.zoneOf)
			return zones, pods, len(all) > 0
		},
		zones:  c.cluster.zones,
		commit: c.commit,
		event: func(kind, reason, message string) {
			if o := c.cluster.service(service.Namespace, service.Name); o != nil {
				c.events.Event(o, kind, reason, message)
			}
		},
		report: func(ctx context.Context, status svcNegStatus) error {
			return c.svcNegs.report(ctx, service.Namespace, p.neg, status)
		},
		running: &c.running,
		wakes:   make(chan struct{}, 1),
	}
}

// waitsFor are the NEGs through which a pod becomes ready, sorted: those of all
// Services that select it and whose syncers run.
func (c *negController) waitsFor(pod *corev1.Pod) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for key, ports := range c.ports {
		if key.Namespace != pod.Namespace {
			continue
		}
		service := c.cluster.service(key.Namespace, key.Name)
		if service == nil || !selects(service, pod) {
			continue
		}
		for _, p := range ports {
			names = append(names, p.neg)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// selects tells whether a Service selects a pod; one without a selector selects none.
func selects(service *corev1.Service, pod *corev1.Pod) bool {
	return len(service.Spec.Selector) > 0 && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
}

// collect deletes the NEGs and svcneg objects that no Service wants
// (pkg/neg/manager.go:600-690).
func (c *negController) collect(ctx context.Context) {
	unwanted := c.unwanted()
	objects, _ := c.cluster.svcNegs.List(labels.Everything())
	for _, o := range objects {
		object := o.(*unstructured.Unstructured)
		if !unwanted(object.GetName()) {
			continue
		}
		if err := c.deleteNEGs(ctx, object.GetName()); err != nil {
			if ctx.Err() == nil {
				c.events.Eventf(object, corev1.EventTypeWarning, "NegCRError", "failed to delete NEG %s: %v", object.GetName(), err)
			}
			continue
		}
		if err := c.svcNegs.delete(ctx, object.GetNamespace(), object.GetName()); err != nil {
			c.config.Log.ErrorContext(ctx, "collect svcneg", "error", err)
		}
	}
}

// unwanted forgets the syncers that were stopped, so that a Service that is
// referred to again begins anew, and tells which NEGs nobody wants.
func (c *negController) unwanted() func(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[string]bool{}
	for _, ports := range c.ports {
		for _, p := range ports {
			wanted[p.neg] = true
		}
	}
	maps.DeleteFunc(c.syncers, func(_ string, s *syncer) bool { return s.isStopped() })
	return func(name string) bool { return !wanted[name] }
}

func (c *negController) deleteNEGs(ctx context.Context, name string) error {
	for _, zone := range c.cluster.zones() {
		err := c.compute.deleteNEG(ctx, negKey{name: name, zone: zone})
		if err != nil && !errors.Is(err, errNotFound) {
			return err
		}
	}
	return nil
}

// Retries of a NEG's sync (pkg/neg/syncers/utils.go:49-51).
const (
	maxRetries    = 15
	minRetryDelay = 5 * time.Second
	maxRetryDelay = 600 * time.Second
)
