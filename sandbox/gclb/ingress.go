package gclb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// Reasons of the Ingress controller's events (pkg/events/events.go:24-33).
const (
	eventSync      = "Sync"
	eventTranslate = "Translate"
	eventIPChanged = "IPChanged"
	eventGC        = "GarbageCollection"
)

// ingressController makes the cloud look like the Ingresses, one at a time:
// there is one worker (pkg/flags/flags.go:285).
type ingressController struct {
	config  *Config
	compute *compute
	cluster *cluster
	names   namer
	clients kubernetes.Interface
	events  record.EventRecorder
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]
}

// newQueue retries what failed after 5 ms, doubled each time, at most 1000 s
// (workqueue.DefaultControllerRateLimiter, which the controllers use).
func newQueue(c *Config) workqueue.TypedRateLimitingInterface[types.NamespacedName] {
	return workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](
		c.scaled(5*time.Millisecond), c.scaled(1000*time.Second)))
}

// keyOf names an object that a watch told of, or its tombstone.
func keyOf(o any) types.NamespacedName {
	if tombstone, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = tombstone.Obj
	}
	object, ok := o.(metav1.Object)
	if !ok {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// follow enqueues an Ingress for whatever happens to it, to a Service that it
// refers to, or to a BackendConfig of one. An update counts whatever it changed,
// even an annotation, and even nothing, as in a resync (pkg/controller/
// controller.go:193-219).
func (c *ingressController) follow(w *watches) error {
	scheduled := func(o any) {
		ingress := o.(*networkingv1.Ingress)
		if isOurs(ingress) {
			c.events.Event(ingress, corev1.EventTypeNormal, eventSync, "Scheduled for sync")
		}
		c.queue.Add(keyOf(o))
	}
	_, err := w.ingresses.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    scheduled,
		UpdateFunc: func(_, o any) { scheduled(o) },
		DeleteFunc: func(o any) { c.queue.Add(keyOf(o)) },
	})
	if err != nil {
		return fmt.Errorf("watching Ingresses: %w", err)
	}
	_, err = w.services.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { c.enqueueUsersOf(o.(*corev1.Service)) },
		UpdateFunc: func(old, o any) {
			if !reflect.DeepEqual(old, o) {
				c.enqueueUsersOf(o.(*corev1.Service))
			}
		}, // deletes do not count
	})
	if err != nil {
		return fmt.Errorf("watching Services: %w", err)
	}
	_, err = w.config.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: c.enqueueConfigured,
		UpdateFunc: func(old, o any) {
			if !reflect.DeepEqual(old, o) {
				c.enqueueConfigured(o)
			}
		},
		DeleteFunc: c.enqueueConfigured,
	})
	if err != nil {
		return fmt.Errorf("watching BackendConfigs: %w", err)
	}
	if !c.config.MultiSubnet {
		return nil
	}
	_, err = w.svcNegs.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, o any) { c.enqueueLinked(o) }})
	if err != nil {
		return fmt.Errorf("watching svcneg objects: %w", err)
	}
	return nil
}

// enqueueLinked enqueues the Ingresses that refer to a svcneg's Service: with
// MultiSubnet they learn of new NEGs only from there (pkg/controller/controller.go,
// SvcNeg event handlers).
func (c *ingressController) enqueueLinked(o any) {
	changed := o.(*unstructured.Unstructured)
	if s := c.cluster.service(changed.GetNamespace(), changed.GetLabels()[serviceNameLabel]); s != nil {
		c.enqueueUsersOf(s)
	}
}

// enqueueUsersOf enqueues the Ingresses that refer to a Service.
func (c *ingressController) enqueueUsersOf(service *corev1.Service) {
	for _, ingress := range c.cluster.ourIngresses() {
		if ingress.Namespace == service.Namespace && slices.Contains(servicesOf(ingress), service.Name) {
			c.queue.Add(keyOf(ingress))
		}
	}
}

// enqueueConfigured enqueues the Ingresses whose Services use BackendConfigs, all
// in the namespace of the one that changed.
func (c *ingressController) enqueueConfigured(o any) {
	if tombstone, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = tombstone.Obj
	}
	changed, ok := o.(*unstructured.Unstructured)
	if !ok {
		return
	}
	for _, ingress := range c.cluster.ourIngresses() {
		for _, name := range servicesOf(ingress) {
			service := c.cluster.service(ingress.Namespace, name)
			if service != nil && service.Namespace == changed.GetNamespace() && service.Annotations[backendConfigAnnotation] != "" {
				c.queue.Add(keyOf(ingress))
			}
		}
	}
}

// servicesOf are the names of the Services that an Ingress refers to.
func servicesOf(ingress *networkingv1.Ingress) []string {
	var names []string
	add := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			names = append(names, b.Service.Name)
		}
	}
	add(ingress.Spec.DefaultBackend)
	for i := range ingress.Spec.Rules {
		if http := ingress.Spec.Rules[i].HTTP; http != nil {
			for j := range http.Paths {
				add(&http.Paths[j].Backend)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// run works until the queue is shut down.
func (c *ingressController) run(ctx context.Context) {
	for {
		key, over := c.queue.Get()
		if over {
			return
		}
		if err := c.sync(ctx, key); err != nil && ctx.Err() == nil {
			c.config.Log.DebugContext(ctx, "ingress sync failed", "namespace", key.Namespace, "ingress", key.Name, "error", err)
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}

// sync is one sync of one Ingress: translate the whole, make health checks,
// backend services and links, replace the URL map, write status and annotations;
// then, whether that worked or not, delete what nothing refers to. There is no
// wait for health anywhere (pkg/sync/sync.go:49-66; pkg/controller/
// controller.go:672-765). If the translation fails nothing else happens, not even
// the deleting.
func (c *ingressController) sync(ctx context.Context, key types.NamespacedName) error {
	ingress, err := c.cluster.ingresses.Ingresses(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) || err == nil && !isOurs(ingress) {
		return c.remove(ctx, key)
	}
	if err != nil {
		return err
	}
	wanted, err := translate(ingress, c.names, c.cluster.lookUps())
	if err != nil {
		err = fmt.Errorf("invalid ingress spec: %w", err)
		c.events.Eventf(ingress, corev1.EventTypeWarning, eventTranslate, "Translation failed: %v", err)
		return err
	}
	err = c.program(ctx, ingress, wanted)
	if err != nil && ctx.Err() == nil {
		c.events.Eventf(ingress, corev1.EventTypeWarning, eventSync, "Error syncing to GCP: %v", err)
	}
	if gcErr := c.collect(ctx); gcErr != nil {
		c.events.Eventf(ingress, corev1.EventTypeWarning, eventGC, "Error during garbage collection: %v", gcErr)
		return errors.Join(err, gcErr)
	}
	return err
}

// remove deletes an Ingress's URL map and then what nothing refers to. (On Google
// a finalizer holds the Ingress until then; here there is none, so that a
// namespace can be deleted without a load balancer running.)
func (c *ingressController) remove(ctx context.Context, key types.NamespacedName) error {
	name := c.names.urlMap(key.Namespace, key.Name)
	if _, found := c.compute.urlMap(name); !found {
		return nil
	}
	if err := c.compute.deleteURLMap(ctx, name); err != nil {
		return err
	}
	return c.collect(ctx)
}

// program makes the cloud look like an Ingress.
func (c *ingressController) program(ctx context.Context, ingress *networkingv1.Ingress, wanted translation) error {
	for i := range wanted.ports {
		if err := c.ensureBackend(ctx, &wanted.ports[i]); err != nil {
			return fmt.Errorf("error running backend syncing routine: %w", err)
		}
	}
	for i := range wanted.ports {
		if err := c.link(ctx, &wanted.ports[i]); err != nil {
			return fmt.Errorf("error running backend syncing routine: %w", err)
		}
	}
	if err := c.ensureURLMap(ctx, ingress, wanted.urlMap); err != nil {
		return fmt.Errorf("error running load balancer syncing routine: %w", err)
	}
	if err := c.publish(ctx, ingress, wanted.urlMap); err != nil {
		return fmt.Errorf("error running post-process routine: %w", err)
	}
	return nil
}

// defaultTimeout is the compute API's default of backendServices.timeoutSec.
const defaultTimeout = 30 * time.Second

// ensureBackend makes the health check and the backend service of a port, still
// without NEGs, and applies the BackendConfig (pkg/backends/syncer.go:56-104).
// What a BackendConfig no longer says stays as it was: only what is set is
// applied (for draining: pkg/backends/features/draining.go:31-43).
func (c *ingressController) ensureBackend(ctx context.Context, p *servicePort) error {
	existing := c.compute.healthCheck(p.backend)
	check := wantedHealthCheck(existing, servingProbe(p, c.cluster.allPods()), p.config)
	if existing == nil || *existing != check {
		if err := c.compute.putHealthCheck(ctx, p.backend, check); err != nil {
			return fmt.Errorf("error ensuring health check: %w", err)
		}
	}
	before, found := c.compute.backend(p.backend)
	if !found {
		before = backendService{name: p.backend, timeout: defaultTimeout}
	}
	after := before
	if p.config != nil && p.config.TimeoutSec != nil {
		after.timeout = time.Duration(*p.config.TimeoutSec) * time.Second
	}
	if p.config != nil && p.config.ConnectionDraining != nil {
		after.draining = time.Duration(p.config.ConnectionDraining.DrainingTimeoutSec) * time.Second
	}
	if found && after.timeout == before.timeout && after.draining == before.draining {
		return nil
	}
	return c.compute.putBackend(ctx, after)
}

// link adds the NEGs of a port to its backend service. Links are added, never
// removed (pkg/backends/neg_linker.go:64-133).
func (c *ingressController) link(ctx context.Context, p *servicePort) error {
	status, found := c.cluster.svcNeg(p.namespace, p.backend)
	wanted, err := negsToLink(p.backend, c.cluster.zones(), status.NetworkEndpointGroups, func(key negKey) bool {
		return c.compute.negID(key) != ""
	}, found && c.config.MultiSubnet)
	if err != nil {
		return err
	}
	b, exists := c.compute.backend(p.backend)
	if !exists {
		return fmt.Errorf("googleapi: Error 404: backend service %q %w", p.backend, errNotFound)
	}
	linked := slices.Clone(b.negs)
	for _, key := range wanted {
		if !slices.Contains(linked, key) {
			linked = append(linked, key)
		}
	}
	if len(linked) == len(b.negs) {
		return nil
	}
	b.negs = linked
	return c.compute.putBackend(ctx, b)
}

// negsToLink are the NEGs of a name in all zones. One that neither the svcneg
// object names nor compute has fails the sync (pkg/backends/neg_linker.go:164-187),
// unless the svcneg object is believed, whatever it names (there, :143-148,329-350).
func negsToLink(name string, zones []string, named []negReference, exists func(negKey) bool, believe bool) ([]negKey, error) {
	var keys []negKey
	for _, zone := range zones {
		key := negKey{name: name, zone: zone}
		switch {
		case slices.ContainsFunc(named, func(r negReference) bool { return r.SelfLink == key.selfLink() }):
			keys = append(keys, key)
		case believe: // nothing to link here, and no error
		case exists(key):
			keys = append(keys, key)
		default:
			return nil, fmt.Errorf("googleapi: Error 404: The resource %q %w", key.selfLink(), errNotFound)
		}
	}
	return keys, nil
}

// ensureURLMap creates the URL map or replaces the whole of it; the event comes
// only if something changed (pkg/loadbalancers/url_maps.go:67-82).
func (c *ingressController) ensureURLMap(ctx context.Context, ingress *networkingv1.Ingress, wanted urlMap) error {
	current, found := c.compute.urlMap(wanted.name)
	if found && current.equal(wanted) {
		return nil
	}
	if err := c.compute.putURLMap(ctx, wanted); err != nil {
		return fmt.Errorf("UpdateURLMap: %w", err)
	}
	done := "created"
	if found {
		done = "updated"
	}
	c.events.Eventf(ingress, corev1.EventTypeNormal, eventSync, "UrlMap %q %s", wanted.name, done)
	return nil
}

// Annotations of Ingresses (pkg/annotations/ingress.go).
const (
	urlMapAnnotation         = "ingress.kubernetes.io/url-map"
	forwardingRuleAnnotation = "ingress.kubernetes.io/forwarding-rule"
	targetProxyAnnotation    = "ingress.kubernetes.io/target-proxy"
	backendsAnnotation       = "ingress.kubernetes.io/backends"
)

// publish writes the address to the status, and to the annotations the names of
// the resources and the health of the URL map's backends at this moment: this is
// the only place where that is refreshed (pkg/controller/controller.go:765-798;
// pkg/loadbalancers/l7.go:456-482).
func (c *ingressController) publish(ctx context.Context, ingress *networkingv1.Ingress, m urlMap) error {
	ours := c.clients.NetworkingV1().Ingresses(ingress.Namespace)
	if have := ingress.Status.LoadBalancer.Ingress; c.config.Address != "" && (len(have) != 1 || have[0].IP != c.config.Address) {
		patch := fmt.Appendf(nil, `{"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, c.config.Address)
		if _, err := ours.Patch(ctx, ingress.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
			return err
		}
		c.events.Eventf(ingress, corev1.EventTypeNormal, eventIPChanged, "IP is now %v", c.config.Address)
	}
	states := map[string]string{}
	for _, name := range m.backends() {
		states[c.publicName(name)] = c.compute.state(name)
	}
	encoded, err := json.Marshal(states)
	if err != nil {
		return err
	}
	wanted := map[string]string{
		urlMapAnnotation:         m.name,
		forwardingRuleAnnotation: "k8s2-fr" + m.name[len("k8s2-um"):],
		targetProxyAnnotation:    "k8s2-tp" + m.name[len("k8s2-um"):],
		backendsAnnotation:       string(encoded),
	}
	changed := false
	for key, value := range wanted {
		changed = changed || ingress.Annotations[key] != value
	}
	if !changed {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": wanted}})
	if err != nil {
		return err
	}
	_, err = ours.Patch(ctx, ingress.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// publicName is how the annotation calls a backend service.
func (c *ingressController) publicName(backend string) string {
	if backend == systemBackend {
		return c.names.neg("kube-system", systemBackend, 80)
	}
	return backend
}

// collect deletes every backend service, and its health check, that no Ingress
// refers to: at once, in the very sync that took the last reference away
// (pkg/controller/controller.go:505-522,654-672; pkg/backends/syncer.go:190-267).
// That one is in use is no error (pkg/backends/backends.go:157-163).
func (c *ingressController) collect(ctx context.Context) error {
	var kept []string
	for _, ingress := range c.cluster.ourIngresses() {
		wanted, err := translate(ingress, c.names, c.cluster.lookUps())
		if err != nil {
			c.config.Log.DebugContext(ctx, "ingress does not translate; what does is kept", "ingress", ingress.Name, "error", err)
		}
		for i := range wanted.ports {
			kept = append(kept, wanted.ports[i].backend)
		}
	}
	for _, name := range c.compute.backendNames() {
		if slices.Contains(kept, name) {
			continue
		}
		if err := c.compute.deleteBackend(ctx, name); ignoreExpected(err) != nil {
			return err
		}
		if err := c.compute.deleteHealthCheck(ctx, name); ignoreExpected(err) != nil {
			return err
		}
	}
	return nil
}

func ignoreExpected(err error) error {
	if errors.Is(err, errNotFound) || errors.Is(err, errInUse) {
		return nil
	}
	return err
}
