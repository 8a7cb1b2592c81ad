package gclb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listersv1 "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
)

// Custom resources; their definitions are in crd/.
var (
	backendConfigs = schema.GroupVersionResource{Group: "cloud.google.com", Version: "v1", Resource: "backendconfigs"}
	svcNegs        = schema.GroupVersionResource{Group: "networking.gke.io", Version: "v1beta1", Resource: "servicenetworkendpointgroups"}
)

// cluster is what the watches know of the cluster. Listing from a cache has no
// errors, and getting only one: not found.
type cluster struct {
	ingresses networkinglisters.IngressLister
	services  listersv1.ServiceLister
	pods      listersv1.PodLister
	nodes     listersv1.NodeLister
	slices    discoverylisters.EndpointSliceLister
	configs   cache.GenericLister
	svcNegs   cache.GenericLister
	zone      string // of nodes that do not say
}

// watches are a cluster's informers.
type watches struct {
	core                                      informers.SharedInformerFactory
	custom                                    dynamicinformer.DynamicSharedInformerFactory
	ingresses, services, pods, slices, config cache.SharedIndexInformer
	svcNegs                                   cache.SharedIndexInformer
}

// watch prepares to follow a cluster; resync is the period in which everything is
// handled again.
func watch(clients kubernetes.Interface, custom dynamic.Interface, resync time.Duration, zone string) (*cluster, *watches) {
	w := &watches{
		core:   informers.NewSharedInformerFactory(clients, resync),
		custom: dynamicinformer.NewDynamicSharedInformerFactory(custom, resync),
	}
	ingresses, slicesOf := w.core.Networking().V1().Ingresses(), w.core.Discovery().V1().EndpointSlices()
	services, pods, nodes := w.core.Core().V1().Services(), w.core.Core().V1().Pods(), w.core.Core().V1().Nodes()
	configs, negs := w.custom.ForResource(backendConfigs), w.custom.ForResource(svcNegs)
	w.ingresses, w.services, w.pods = ingresses.Informer(), services.Informer(), pods.Informer()
	w.slices, w.config, w.svcNegs = slicesOf.Informer(), configs.Informer(), negs.Informer()
	return &cluster{
		ingresses: ingresses.Lister(), services: services.Lister(), pods: pods.Lister(), nodes: nodes.Lister(),
		slices: slicesOf.Lister(), configs: configs.Lister(), svcNegs: negs.Lister(), zone: zone,
	}, w
}

// start follows until ctx ends; it returns once the first lists are in.
func (w *watches) start(ctx context.Context) error {
	w.core.Start(ctx.Done())
	w.custom.Start(ctx.Done())
	for kind, synced := range w.core.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("waiting for the list of %s: %w", kind, ctx.Err())
		}
	}
	for kind, synced := range w.custom.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("waiting for the list of %s: %w", kind, ctx.Err())
		}
	}
	return nil
}

// stop waits for the watches to end after their ctx has.
func (w *watches) stop() {
	w.core.Shutdown()
	w.custom.Shutdown()
}

// ourIngresses are those of the load balancer's class, the oldest first.
func (c *cluster) ourIngresses() []*networkingv1.Ingress {
	all, _ := c.ingresses.List(labels.Everything())
	all = slices.DeleteFunc(all, func(i *networkingv1.Ingress) bool { return !isOurs(i) })
	slices.SortFunc(all, func(a, b *networkingv1.Ingress) int {
		if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return all
}

// service returns nil if there is none.
func (c *cluster) service(namespace, name string) *corev1.Service {
	found, err := c.services.Services(namespace).Get(name)
	if err != nil {
		return nil
	}
	return found
}

// config returns nil if there is none.
func (c *cluster) config(namespace, name string) (*backendConfig, error) {
	found, err := c.configs.ByNamespace(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // that there is none is an answer
	}
	if err != nil {
		return nil, err
	}
	return readBackendConfig(found.(*unstructured.Unstructured))
}

func (c *cluster) lookUps() lookUps {
	return lookUps{service: c.service, config: c.config}
}

func (c *cluster) allPods() []*corev1.Pod {
	all, _ := c.pods.List(labels.Everything())
	return all
}

func (c *cluster) pod(namespace, name string) *corev1.Pod {
	found, err := c.pods.Pods(namespace).Get(name)
	if err != nil {
		return nil
	}
	return found
}

// slicesOf are a Service's EndpointSlices.
func (c *cluster) slicesOf(namespace, service string) []*discoveryv1.EndpointSlice {
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service})
	all, _ := c.slices.EndpointSlices(namespace).List(selector)
	return all
}

// zoneOf is the zone of a node.
func (c *cluster) zoneOf(node string) string {
	if found, err := c.nodes.Get(node); err == nil {
		if zone := found.Labels[corev1.LabelTopologyZone]; zone != "" {
			return zone
		}
	}
	return c.zone
}

// zones are those with nodes, sorted: NEGs are made in each of them.
func (c *cluster) zones() []string {
	nodes, _ := c.nodes.List(labels.Everything())
	var all []string
	for _, node := range nodes {
		all = append(all, c.zoneOf(node.Name))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// svcNeg is the status of a NEG's svcneg object; found tells whether there is one.
func (c *cluster) svcNeg(namespace, name string) (status svcNegStatus, found bool) {
	object, err := c.svcNegs.ByNamespace(namespace).Get(name)
	if err != nil {
		return svcNegStatus{}, false
	}
	var read struct {
		Status svcNegStatus `json:"status"`
	}
	u := object.(*unstructured.Unstructured)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &read); err != nil {
		return svcNegStatus{}, false
	}
	return read.Status, true
}
