package scaffold

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Namespace is what runs in a namespace, each kind by name.
type Namespace struct {
	Name string
	// Exists: it is there. Granted are its annotations, if Known.
	Exists, Known bool
	Granted       v1alpha1.Grants
	// Turnout: the cluster knows applications.
	Turnout      bool
	Applications []v1alpha1.BlueGreen
	Deployments  []appsv1.Deployment
	Services     []corev1.Service
	Ingresses    []networkingv1.Ingress
	Routes       []httpRoute
	Autoscalers  []autoscalingv2.HorizontalPodAutoscaler
	Budgets      []policyv1.PodDisruptionBudget
	// Unseen says what could not be read, and why.
	Unseen []string
}

// Read reads a namespace. What routes users must be readable: whoever cannot see it would write a
// second application beside the first. What else cannot be read is noted.
func Read(ctx context.Context, from client.Reader, name string) (*Namespace, error) {
	n := &Namespace{Name: name, Exists: true, Known: true}
	var deployments appsv1.DeploymentList
	var services corev1.ServiceList
	var ingresses networkingv1.IngressList
	for _, list := range []client.ObjectList{&deployments, &services, &ingresses} {
		if err := from.List(ctx, list, client.InNamespace(name)); err != nil {
			return nil, fmt.Errorf("looking at namespace %s: %w", name, err)
		}
	}
	var err error
	if n.Routes, err = readRoutes(ctx, from, name); err != nil {
		return nil, err
	}
	n.Deployments, n.Services, n.Ingresses = deployments.Items, services.Items, ingresses.Items
	var namespace corev1.Namespace
	err = from.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	switch {
	case apierrors.IsNotFound(err):
		n.Exists = false
	case err != nil:
		n.Known = false
		n.Unseen = append(n.Unseen, fmt.Sprintf("what namespace %s is granted: %v", name, err))
	}
	n.Granted = namespace.Annotations
	var autoscalers autoscalingv2.HorizontalPodAutoscalerList
	var budgets policyv1.PodDisruptionBudgetList
	var applications v1alpha1.BlueGreenList
	for kind, list := range map[string]client.ObjectList{
		"horizontalpodautoscalers": &autoscalers, "poddisruptionbudgets": &budgets, "bluegreens": &applications,
	} {
		err := from.List(ctx, list, client.InNamespace(name))
		if kind == "bluegreens" {
			n.Turnout = !meta.IsNoMatchError(err)
		}
		if err != nil && !meta.IsNoMatchError(err) {
			n.Unseen = append(n.Unseen, fmt.Sprintf("the %s of namespace %s: %v", kind, name, err))
		}
	}
	slices.Sort(n.Unseen)
	n.Autoscalers, n.Budgets, n.Applications = autoscalers.Items, budgets.Items, applications.Items
	return n, nil
}

func (n *Namespace) deployment(name string) *appsv1.Deployment {
	i := slices.IndexFunc(n.Deployments, func(d appsv1.Deployment) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &n.Deployments[i]
}

func (n *Namespace) service(name string) *corev1.Service {
	i := slices.IndexFunc(n.Services, func(s corev1.Service) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &n.Services[i]
}

// adopted is the application that a Deployment or a Service belongs to; nil if to none.
func (n *Namespace) adopted(deployment, service string) *v1alpha1.BlueGreen {
	for i := range n.Applications {
		bg := &n.Applications[i]
		for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
			if side := bg.Side(c); side.Deployment == deployment || side.Service == service {
				return bg
			}
		}
	}
	return nil
}

// autoscaler of a Deployment; nil if it has none.
func (n *Namespace) autoscaler(deployment string) *autoscalingv2.HorizontalPodAutoscaler {
	for i := range n.Autoscalers {
		if to := n.Autoscalers[i].Spec.ScaleTargetRef; to.Kind == "Deployment" && to.Name == deployment {
			return &n.Autoscalers[i]
		}
	}
	return nil
}

// routeNames are the HTTPRoutes that lead to a Service.
func (n *Namespace) routeNames(service string) []string {
	var all []string
	for i := range n.Routes {
		if _, leads := n.Routes[i].Services[service]; leads {
			all = append(all, n.Routes[i].Name)
		}
	}
	slices.Sort(all)
	return all
}

// names lists things for people.
func names(all []string) string {
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}
