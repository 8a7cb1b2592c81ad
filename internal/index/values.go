package index

import (
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/imageref"
)

var colors = []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green}

// Deployment is the value of [Part] for the applications that use a Deployment.
func Deployment(name string) string { return "Deployment " + name }

// CronJob is the value of [Part] for the applications that use a CronJob.
func CronJob(name string) string { return "CronJob " + name }

// Service is the value of [Part] for the applications that use a Service.
func Service(name string) string   { return "Service " + name }
func ingress(name string) string   { return "Ingress " + name }
func httpRoute(name string) string { return "HTTPRoute " + name }

// application is the value for the pods of an application's migrations.
func application(name string) string { return "Application " + name }
func finding(object string) string   { return "finding " + object }

// parts are an application's objects, and those that it has findings about. A finding names
// its object "kind namespace/name"; a different object of that name costs a needless look.
func parts(o client.Object) []string {
	bg, ok := o.(*v1alpha1.BlueGreen)
	if !ok {
		return nil
	}
	values := append(services(bg), application(bg.Name))
	if bg.Spec.Gateway != nil {
		values = append(values, httpRoute(bg.Spec.Gateway.Route), httpRoute(bg.StandbyRoute()))
	} else {
		values = append(values, ingress(bg.IngressName()))
	}
	for _, c := range colors {
		values = append(values, Deployment(bg.Side(c).Deployment))
		for _, w := range bg.Spec.Workers {
			values = append(values, Deployment(bg.WorkerDeployment(w, c)))
		}
	}
	for _, s := range bg.Spec.Singletons {
		values = append(values, Deployment(s.Deployment))
	}
	for _, j := range bg.Spec.CronJobs {
		values = append(values, CronJob(j.Name))
	}
	for _, f := range bg.Status.Findings {
		values = append(values, finding(f.Object[strings.LastIndexByte(f.Object, ' ')+1:]))
	}
	return distinct(values)
}

// services are an application's own, which no other application may use.
func services(bg *v1alpha1.BlueGreen) []string {
	var values []string
	for _, c := range colors {
		values = append(values, Service(bg.Side(c).Service))
	}
	return distinct(values)
}

// deploymentOfPod derives the Deployment from the name of the pod's ReplicaSet, which
// consists of the Deployment's name and the template's hash
// (pkg/controller/deployment/sync.go of kubernetes).
func deploymentOfPod(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "ReplicaSet" {
		return ""
	}
	name, _ := strings.CutSuffix(owner.Name, "-"+pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
	return name
}

// images are the repositories of the images that a Deployment's pods run.
func images(o client.Object) []string {
	d, ok := o.(*appsv1.Deployment)
	if !ok {
		return nil
	}
	var values []string
	for _, c := range slices.Concat(d.Spec.Template.Spec.InitContainers, d.Spec.Template.Spec.Containers) {
		values = append(values, imageref.Repository(c.Image))
	}
	return distinct(values)
}

func controller(o client.Object) []string {
	owner := metav1.GetControllerOf(o)
	if owner == nil {
		return nil
	}
	return []string{string(owner.UID)}
}

func scales(o client.Object) []string {
	hpa, ok := o.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok || hpa.Spec.ScaleTargetRef.Kind != "Deployment" {
		return nil
	}
	return []string{hpa.Spec.ScaleTargetRef.Name}
}

func routes(o client.Object) []string {
	i, ok := o.(*networkingv1.Ingress)
	if !ok {
		return nil
	}
	return Services(i)
}

// Services are all Services that an Ingress names.
func Services(i *networkingv1.Ingress) []string {
	var names []string
	add := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			names = append(names, b.Service.Name)
		}
	}
	add(i.Spec.DefaultBackend)
	for _, rule := range i.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for k := range rule.HTTP.Paths {
			add(&rule.HTTP.Paths[k].Backend)
		}
	}
	return distinct(names)
}

func labelled(key string) client.IndexerFunc {
	return func(o client.Object) []string { return []string{o.GetLabels()[key]} }
}

func distinct(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

// Repositories returns the values of [Repository] for a repository: its name, and its number
// unless that is 0.
func Repositories(name string, id int64) []string {
	values := []string{"name:" + strings.ToLower(name)}
	if id != 0 {
		values = append(values, "id:"+strconv.FormatInt(id, 10))
	}
	return values
}

// repositories finds an application by its repository's name, and by the number from the first
// contact on: the repository may have been renamed since.
func repositories(o client.Object) []string {
	bg, ok := o.(*v1alpha1.BlueGreen)
	if !ok {
		return nil
	}
	id := int64(0)
	if pin := bg.Pinned(); pin != nil {
		id = pin.ID
	}
	return Repositories(bg.Spec.Repository, id)
}
