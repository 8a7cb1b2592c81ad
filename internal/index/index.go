// Package index finds objects in the manager's cache by the names in them, so that a look
// at one application costs the same however many others its namespace has. [Register] adds
// every [Index] to a cache, and [List] reads by one.
//
// Each index answers one question, by one value. Only a cache has them: the API server
// refuses to list by them, and so do clients without a cache.
package index

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientcache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The indexes. Only the cache knows these names.
const (
	// Application finds the releases of an application, by the application's name in their
	// label; it is empty without a label.
	Application = "turnout.application"
	// Part finds the applications that an object is part of, or that have a finding about
	// it, by the values of [PartsOf].
	Part = "turnout.part"
	// Controller finds ReplicaSets and pods, by the UID of their controller.
	Controller = "turnout.controller"
	// Scales finds HorizontalPodAutoscalers, by the name of their Deployment.
	Scales = "turnout.scales"
	// Routes finds Ingresses, by the name of a Service that they send requests to.
	Routes = "turnout.routes"
	// Endpoints finds EndpointSlices, by the name of their Service.
	Endpoints = "turnout.endpoints"
	// Images finds Deployments, by the repositories of their pods' images: each name without tag and
	// digest.
	Images = "turnout.images"
	// Repository finds the applications of a repository, by the values of [Repositories].
	Repository = "turnout.repository"
)

// Index is one index: its objects, its name, and the values of an object.
type Index struct {
	Object client.Object
	Name   string
	Values client.IndexerFunc
	// Everywhere: it is read for all namespaces, too.
	Everywhere bool
}

// All returns every index.
func All() []Index {
	return []Index{
		{Object: &v1alpha1.Release{}, Name: Application, Values: labelled(v1alpha1.ApplicationLabel)},
		{Object: &v1alpha1.BlueGreen{}, Name: Part, Values: parts},
		{Object: &v1alpha1.BlueGreen{}, Name: Repository, Values: repositories, Everywhere: true},
		{Object: &appsv1.Deployment{}, Name: Images, Values: images},
		{Object: &appsv1.ReplicaSet{}, Name: Controller, Values: controller},
		{Object: &corev1.Pod{}, Name: Controller, Values: controller},
		{Object: &autoscalingv2.HorizontalPodAutoscaler{}, Name: Scales, Values: scales},
		{Object: &networkingv1.Ingress{}, Name: Routes, Values: routes},
		{Object: &discoveryv1.EndpointSlice{}, Name: Endpoints, Values: labelled(discoveryv1.LabelServiceName)},
	}
}

// Register adds every index to a cache that has not started.
func Register(ctx context.Context, to cache.Cache) error {
	for _, i := range All() {
		if err := i.add(ctx, to); err != nil {
			return fmt.Errorf("adding index %s of %T: %w", i.Name, i.Object, err)
		}
	}
	return nil
}

// add adds an index. IndexField would make two entries for each value, one of them for reading all
// namespaces. With a thousand applications, those that nobody reads took 5 MB.
func (i Index) add(ctx context.Context, to cache.Cache) error {
	if i.Everywhere {
		return to.IndexField(ctx, i.Object, i.Name, i.Values) //nolint:wrapcheck // Register does
	}
	informer, err := to.GetInformer(ctx, i.Object, cache.BlockUntilSynced(false))
	if err != nil {
		return err //nolint:wrapcheck // Register does
	}
	return informer.AddIndexers(clientcache.Indexers{"field:" + i.Name: i.keys}) //nolint:wrapcheck // Register does
}

// keys are an object's keys in the cache, as its reader builds them (FieldIndexName and
// KeyToNamespacedKey of controller-runtime's pkg/cache/internal).
func (i Index) keys(object any) ([]string, error) {
	o, ok := object.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", object)
	}
	values := i.Values(o)
	keys := make([]string, len(values))
	for k, value := range values {
		keys[k] = o.GetNamespace() + "/" + value
	}
	return keys, nil
}

// List reads the objects of a namespace with a value in an index.
func List(
	ctx context.Context, from client.Reader, into client.ObjectList, namespace, index, value string, more ...client.ListOption,
) error {
	if namespace == "" { // most indexes have no entries for that
		return fmt.Errorf("index %s is read in no namespace", index)
	}
	return from.List(ctx, into, append(more, client.InNamespace(namespace), client.MatchingFields{index: value})...)
}

// PartsOf returns the values of [Part] that find an object's applications: those it is part
// of, and those with findings about it.
func PartsOf(o client.Object) []string {
	values := []string{finding(client.ObjectKeyFromObject(o).String())}
	switch o := o.(type) {
	case *v1alpha1.BlueGreen:
		return services(o)
	case *appsv1.Deployment:
		return append(values, Deployment(o.Name))
	case *appsv1.ReplicaSet:
		if owner := metav1.GetControllerOf(o); owner != nil && owner.Kind == "Deployment" {
			return append(values, Deployment(owner.Name))
		}
	case *corev1.Pod:
		if name := deploymentOfPod(o); name != "" {
			return append(values, Deployment(name))
		}
		if o.Labels[v1alpha1.MigrationLabel] != "" {
			return append(values, application(o.Labels[v1alpha1.ApplicationLabel]))
		}
	case *corev1.Service:
		return append(values, Service(o.Name))
	case *discoveryv1.EndpointSlice:
		return append(values, Service(o.Labels[discoveryv1.LabelServiceName]))
	case *networkingv1.Ingress:
		return append(values, ingress(o.Name))
	case *unstructured.Unstructured: // only HTTPRoutes: not every cluster has their kind
		return append(values, httpRoute(o.GetName()))
	case *autoscalingv2.HorizontalPodAutoscaler:
		for _, name := range scales(o) {
			values = append(values, Deployment(name))
		}
	}
	return values
}
