package scale

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	repository = "acme/shop"
	project    = "acme-prod"
	node       = "node"
	firstImage = "gcr.io/acme-prod/my-python-app:first"
	// writers is how many objects are made at once.
	writers = 16
	// foreignIn is how many foreign pods a namespace has.
	foreignIn = 1000
)

// The branches that applications follow: one is released alone, one is released and rolled back, some
// are released together, the rest never.
const (
	branchAlone = "alone"
	branchBack  = "back"
	branchBurst = "main"
	branchRest  = "rest"
)

// app is one application of the measurement.
type app struct {
	client.ObjectKey
	branch string
}

// apps are those of a run, in the order in which they are made.
func (r *run) apps() []app {
	all := make([]app, r.Applications)
	for i := range all {
		all[i].Namespace = fmt.Sprintf("scale-%04d", i/r.PerNamespace)
		all[i].Name = fmt.Sprintf("app-%04d", i)
		switch {
		case i == 0:
			all[i].branch = branchAlone
		case i == 1:
			all[i].branch = branchBack
		case i < r.Burst+2:
			all[i].branch = branchBurst
		default:
			all[i].branch = branchRest
		}
	}
	return all
}

// makeObjects makes the node, the namespaces and every application.
func (r *run) makeObjects(ctx context.Context) error {
	if err := r.create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}); err != nil {
		return err
	}
	var spaces, objects []client.Object
	seen := map[string]bool{}
	for _, a := range r.apps() {
		if !seen[a.Namespace] {
			seen[a.Namespace] = true
			spaces = append(spaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name:        a.Namespace,
				Annotations: map[string]string{v1alpha1.RepositoriesAnnotation: repository, v1alpha1.ProjectsAnnotation: project},
			}})
		}
		own, err := r.tool.objects(a)
		if err != nil {
			return err
		}
		objects = append(objects, own...)
	}
	for i := 0; i < r.ForeignPods; i += foreignIn {
		name := fmt.Sprintf("foreign-%03d", i/foreignIn)
		spaces = append(spaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		key := client.ObjectKey{Namespace: name, Name: "other"}
		objects = append(objects, deployment(key, map[string]string{"app": "other"}, min(foreignIn, r.ForeignPods-i)))
	}
	if err := r.makeAll(ctx, spaces, r.create); err != nil {
		return err
	}
	return r.makeAll(ctx, objects, r.create)
}

// create makes an object, unless an earlier run on this control plane did.
func (r *run) create(ctx context.Context, o client.Object) error {
	if err := r.kube.Create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating %T %s: %w", o, client.ObjectKeyFromObject(o), err)
	}
	return nil
}

func meta(key client.ObjectKey) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
}

func (a app) of(c v1alpha1.Color) client.ObjectKey {
	return client.ObjectKey{Namespace: a.Namespace, Name: a.Name + "-" + string(c)}
}

func (a app) labels(c v1alpha1.Color) map[string]string {
	return map[string]string{"app": a.Name, "version": string(c)}
}

// podsOf counts an application's pods.
func (r *run) podsOf(ctx context.Context, a app) (int, error) {
	var pods corev1.PodList
	if err := r.kube.List(ctx, &pods, client.InNamespace(a.Namespace), client.MatchingLabels{"app": a.Name}); err != nil {
		return 0, fmt.Errorf("listing pods: %w", err)
	}
	return len(pods.Items), nil
}

// podsEach is how many pods a live application has.
const podsEach = 2

// deployment is bound to the node by its template, since nothing schedules here, and its
// pods end at once.
func deployment(key client.ObjectKey, labels map[string]string, replicas int) *appsv1.Deployment {
	n, grace := int32(replicas), int64(0) //nolint:gosec // G115: a thousand at most
	return &appsv1.Deployment{ObjectMeta: meta(key), Spec: appsv1.DeploymentSpec{
		Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{Name: "app", Image: firstImage}},
		}},
	}}
}

func (a app) service(c v1alpha1.Color) *corev1.Service {
	key := a.of(c)
	key.Name += "-svc"
	return &corev1.Service{ObjectMeta: meta(key), Spec: corev1.ServiceSpec{
		Selector: a.labels(c), Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		ClusterIP: corev1.ClusterIPNone, // a range of addresses has its end
	}}
}

// ingress is of a class that routes by EndpointSlices.
func (a app) ingress() *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	o := meta(client.ObjectKey{Namespace: a.Namespace, Name: a.Name + "-ingress"})
	o.Annotations = map[string]string{"kubernetes.io/ingress.class": "plain"}
	to := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: a.of(v1alpha1.Blue).Name + "-svc", Port: networkingv1.ServiceBackendPort{Number: 80},
	}}
	http := &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: to}}}
	return &networkingv1.Ingress{ObjectMeta: o, Spec: networkingv1.IngressSpec{
		Rules: []networkingv1.IngressRule{{IngressRuleValue: networkingv1.IngressRuleValue{HTTP: http}}},
	}}
}
