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
}

// All returns every index.
func All() []Index {
	return []Index{
		{&v1alpha1.Release{}, Application, labelled(v1alpha1.ApplicationLabel)},
		{&v1alpha1.BlueGreen{}, Part, parts},
		{&v1alpha1.BlueGreen{}, Repository, repositories},
		{&appsv1.Deployment{}, Images, images},
		{&appsv1.ReplicaSet{}, Controller, controller},
		{&corev1.Pod{}, Controller, controller},
		{&autoscalingv2.HorizontalPodAutoscaler{}, Scales, scales},
		{&networkingv1.Ingress{}, Routes, routes},
		{&discoveryv1.EndpointSlice{}, Endpoints, labelled(discoveryv1.LabelServiceName)},
	}
}

// Register adds every index to a cache that has not started.
func Register(ctx context.Context, to client.FieldIndexer) error {
	for _, i := range All() {
		if err := to.IndexField(ctx, i.Object, i.Name, i.Values); err != nil {
			return fmt.Errorf("adding index %s of %T: %w", i.Name, i.Object, err)
		}
	}
	return nil
}

// List reads the objects of a namespace with a value in an index.
func List(
	ctx context.Context, from client.Reader, into client.ObjectList, namespace, index, value string, more ...client.ListOption,
) error {
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
