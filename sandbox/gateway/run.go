package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The kinds of objects that the controller watches.
var ( //nolint:gochecknoglobals // names
	gatewayAPI = schema.GroupVersion(gatewayv1.GroupVersion)

	classKind    = gatewayAPI.WithResource("gatewayclasses")
	gatewayKind  = gatewayAPI.WithResource("gateways")
	routeKind    = gatewayAPI.WithResource("httproutes")
	spaceKind    = corev1.SchemeGroupVersion.WithResource("namespaces")
	serviceKind  = corev1.SchemeGroupVersion.WithResource("services")
	endpointKind = discoveryv1.SchemeGroupVersion.WithResource("endpointslices")
	healthKind   = policyKind("healthcheckpolicies")
	kinds        = []schema.GroupVersionResource{classKind, gatewayKind, routeKind, spaceKind, serviceKind, endpointKind, healthKind}
)

// balancer is a running controller with its load balancer.
type balancer struct {
	config *Config
	api    dynamic.Interface
	stores map[schema.GroupVersionResource]cache.Store
	pool   *pool
	fleet  *fleet
	edited chan struct{} // capacity 1: something changed
	serial int
}

// Run runs controller and load balancer until ctx ends. It calls ready once it knows the
// existing routes. The cluster must have the Gateway API's CRDs.
func Run(ctx context.Context, c Config, ready func()) error {
	c.setDefaults()
	limited := rest.CopyConfig(c.Rest)
	limited.QPS = -1
	api, err := dynamic.NewForConfig(limited)
	if err != nil {
		return fmt.Errorf("creating the Gateway controller's client: %w", err)
	}
	b := &balancer{
		config: &c, api: api, stores: map[schema.GroupVersionResource]cache.Store{}, pool: newPool(&c),
		edited: make(chan struct{}, 1),
	}
	b.fleet = newFleet(&c, b.pool)
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer func() { cancel(nil); running.Wait() }()
	if err := announce(ctx, api); err != nil {
		return err
	}
	if err := b.watch(ctx); err != nil {
		return err
	}
	running.Go(func() {
		if err := b.fleet.serve(ctx, c.Listener); err != nil {
			cancel(err)
		}
	})
	running.Go(func() { b.follow(ctx) })
	ready()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// watch starts watching the objects and returns once it has every list.
func (b *balancer) watch(ctx context.Context) error {
	factory := dynamicinformer.NewDynamicSharedInformerFactory(b.api, 0)
	told := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { b.tell() }, UpdateFunc: func(any, any) { b.tell() }, DeleteFunc: func(any) { b.tell() },
	}
	for _, kind := range kinds {
		informer := factory.ForResource(kind).Informer()
		if _, err := informer.AddEventHandler(told); err != nil {
			return fmt.Errorf("watching %s: %w", kind.Resource, err)
		}
		b.stores[kind] = informer.GetStore()
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("waiting for the list of %s: %w", kind.Resource, ctx.Err())
		}
	}
	return nil
}

func (b *balancer) tell() {
	select {
	case b.edited <- struct{}{}:
	default: // already noted
	}
}

// follow applies one edit after the other, each after Delays.Programme.
func (b *balancer) follow(ctx context.Context) {
	b.tell()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.edited:
		}
		c := b.read() // later edits wait for the next round
		b.pool.follow(ctx, b.endpoints(c.used()))
		select {
		case <-ctx.Done():
			return
		case <-time.After(b.config.Delays.Programme):
		}
		t := translate(c)
		b.serial++
		b.fleet.publish(newTable(b.serial, t.entries))
		b.config.Log.DebugContext(ctx, "routes applied", "serial", b.serial, "matches", len(t.entries), "backends", b.pool)
		b.report(ctx, c, t)
	}
}

// all reads the objects of a kind from the watch's store, sorted by name.
func all[T any](b *balancer, kind schema.GroupVersionResource) []T {
	store := b.stores[kind]
	keys := store.ListKeys()
	slices.Sort(keys)
	var objects []T
	for _, k := range keys {
		item, found, err := store.GetByKey(k)
		if err != nil || !found {
			continue
		}
		var o T
		if u, same := any(&o).(*unstructured.Unstructured); same {
			*u = *item.(*unstructured.Unstructured)
			objects = append(objects, o)
			continue
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.(*unstructured.Unstructured).Object, &o); err != nil {
			b.config.Log.Error("reading an object", "kind", kind.Resource, "name", k, "error", err)
			continue
		}
		objects = append(objects, o)
	}
	return objects
}

// read returns the cluster's objects as the watches know them now.
func (b *balancer) read() cluster {
	ports := map[string]map[int32]bool{}
	for _, s := range all[corev1.Service](b, serviceKind) {
		of := map[int32]bool{}
		for _, p := range s.Spec.Ports {
			of[p.Port] = true
		}
		ports[key(s.Namespace, s.Name)] = of
	}
	labelsOf := map[string]map[string]string{}
	for _, n := range all[corev1.Namespace](b, spaceKind) {
		labelsOf[n.Name] = n.Labels
	}
	return cluster{
		labels:     labelsOf,
		controller: b.config.Controller, classes: all[gatewayv1.GatewayClass](b, classKind),
		gateways: all[gatewayv1.Gateway](b, gatewayKind), routes: all[gatewayv1.HTTPRoute](b, routeKind),
		hasPort: func(namespace, name string, port int32) (bool, bool) {
			of, found := ports[key(namespace, name)]
			return found, of[port]
		},
	}
}

// used are the backends that get a share of a rule. A backend of weight 0 is not kept:
// GKE does not document whether it keeps one, and this is the worse case.
func (c cluster) used() map[string]bool {
	used := map[string]bool{}
	for _, e := range translate(c).entries {
		for _, b := range e.rule.backends {
			if b.weight > 0 && b.service != "" {
				used[b.service] = true
			}
		}
	}
	return used
}

// endpoints are the addresses of the backends' ready pods.
func (b *balancer) endpoints(used map[string]bool) map[string]endpoints {
	found := map[string]endpoints{}
	policies := all[unstructured.Unstructured](b, healthKind)
	services := all[corev1.Service](b, serviceKind)
	slicesOf := map[string][]discoveryv1.EndpointSlice{}
	for _, s := range all[discoveryv1.EndpointSlice](b, endpointKind) {
		service := key(s.Namespace, s.Labels[discoveryv1.LabelServiceName])
		slicesOf[service] = append(slicesOf[service], s)
	}
	for _, s := range services {
		for _, p := range s.Spec.Ports {
			name := fmt.Sprintf("%s:%d", key(s.Namespace, s.Name), p.Port)
			if used[name] {
				found[name] = endpoints{
					addresses: addresses(slicesOf[key(s.Namespace, s.Name)], p.Name), path: healthPath(policies, s.Namespace, s.Name),
				}
			}
		}
	}
	return found
}

func addresses(of []discoveryv1.EndpointSlice, port string) []string {
	found := map[string]bool{}
	for _, s := range of {
		for _, p := range s.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != port || p.Name == nil && port != "" {
				continue
			}
			for _, e := range s.Endpoints {
				if e.Conditions.Ready != nil && !*e.Conditions.Ready {
					continue
				}
				for _, a := range e.Addresses {
					found[net.JoinHostPort(a, strconv.Itoa(int(*p.Port)))] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
