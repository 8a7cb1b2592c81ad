package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// concurrent is how many applications are looked at side by side. A look may
// wait for pods to answer the gate, and must not hold up other applications.
const concurrent = 16

// longestLook bounds one look at an application. It is far more than any look
// takes; it is there so that an answer that never comes holds up one look, not
// the application.
const longestLook = 2 * time.Minute

// Setup registers the deployer with a manager. Reaction is by watch: everything
// that a decision rests on wakes the application it belongs to.
func (d *Deployer) Setup(mgr ctrl.Manager) error {
	for _, run := range []manager.RunnableFunc{d.probers.run, d.asks.run, d.maps.run} {
		if err := mgr.Add(run); err != nil {
			return fmt.Errorf("setting up the deployer: %w", err)
		}
	}
	if err := mgr.Add(manager.RunnableFunc(d.calls.run)); err != nil {
		return fmt.Errorf("setting up the deployer: %w", err)
	}
	wake := make(chan event.TypedGenericEvent[*v1alpha1.BlueGreen], concurrent)
	d.probers.wake = wake
	d.calls.wake, d.calls.stopped, d.calls.firstBackOff = wake, make(chan struct{}), d.BackOff
	b := ctrl.NewControllerManagedBy(mgr).
		Named("bluegreen").
		For(&v1alpha1.BlueGreen{}).
		Watches(&v1alpha1.BlueGreen{}, handler.EnqueueRequestsFromMapFunc(d.neighbours),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&v1alpha1.Release{}).
		Watches(&v1alpha1.Release{}, handler.Funcs{CreateFunc: d.rollbackRecorded}).
		Watches(&appsv1.Deployment{}, d.wakes(ofDeployment)).
		Watches(&appsv1.ReplicaSet{}, d.wakes(ofReplicaSet)).
		Watches(&corev1.Pod{}, d.wakes(ofPod)).
		Watches(&corev1.Service{}, d.wakes(ofService)).
		Watches(&discoveryv1.EndpointSlice{}, d.wakes(ofEndpoints)).
		Watches(&networkingv1.Ingress{}, d.wakes(ofIngress), builder.WithPredicates(predicate.Funcs{UpdateFunc: moreThanAFence})).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, d.wakes(ofAutoscaler)).
		WatchesRawSource(source.Channel(wake, &handler.TypedEnqueueRequestForObject[*v1alpha1.BlueGreen]{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrent,
			ReconciliationTimeout:   longestLook,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, 30*time.Second),
		})
	if !d.Namespaced {
		b = b.Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(d.inNamespace))
	}
	if err := b.Complete(record.TellPanics(d.Events, &v1alpha1.BlueGreen{}, d)); err != nil {
		return fmt.Errorf("setting up the deployer: %w", err)
	}
	return nil
}

// rollbackRecorded cancels the look at the application of a new rollback, which the
// watch of its owner wakes anew.
func (d *Deployer) rollbackRecorded(_ context.Context, e event.CreateEvent, _ workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	rel, ok := e.Object.(*v1alpha1.Release)
	if !ok || rel.Spec.Rollback == nil || rel.Status.Phase.Finished() || rel.Labels[v1alpha1.ApplicationLabel] != rel.Spec.Application {
		return
	}
	d.looks.interrupt(client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Application}, rel, time.Now())
}

// belongs reports whether an object is part of an application.
type belongs func(bg *v1alpha1.BlueGreen, object client.Object) bool

// wakes maps an object to the applications of its namespace that it is part of, or
// that have a finding about it.
func (d *Deployer) wakes(part belongs) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return d.requests(ctx, object.GetNamespace(), func(bg *v1alpha1.BlueGreen) bool { return part(bg, object) || hasFinding(bg, object) })
	})
}

// inNamespace wakes every application of a namespace whose grant may have
// changed.
func (d *Deployer) inNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	if len(d.Record.Namespaces) > 0 && !slices.Contains(d.Record.Namespaces, object.GetName()) {
		return nil
	}
	return d.requests(ctx, object.GetName(), func(*v1alpha1.BlueGreen) bool { return true })
}

// neighbours wakes the other applications of a namespace when one comes, goes or
// changes its spec: they may not share a Service.
func (d *Deployer) neighbours(ctx context.Context, object client.Object) []reconcile.Request {
	return d.requests(ctx, object.GetNamespace(), func(bg *v1alpha1.BlueGreen) bool { return bg.Name != object.GetName() })
}

func (d *Deployer) requests(ctx context.Context, namespace string, want func(*v1alpha1.BlueGreen) bool) []reconcile.Request {
	var list v1alpha1.BlueGreenList
	if err := d.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		d.Log.ErrorContext(ctx, "listing bluegreens", "namespace", namespace, "error", err)
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		if want(&list.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return out
}

// hasFinding reports whether an application has a finding about an object, so that it is
// noticed when that is mended. Another object of the same name costs a look.
func hasFinding(bg *v1alpha1.BlueGreen, o client.Object) bool {
	return slices.ContainsFunc(bg.Status.Findings, func(f v1alpha1.Finding) bool {
		return strings.HasSuffix(f.Object, " "+client.ObjectKeyFromObject(o).String())
	})
}

func deployments(bg *v1alpha1.BlueGreen) []string {
	return []string{bg.Side(v1alpha1.Blue).Deployment, bg.Side(v1alpha1.Green).Deployment}
}

func services(bg *v1alpha1.BlueGreen) []string {
	return []string{bg.Side(v1alpha1.Blue).Service, bg.Side(v1alpha1.Green).Service}
}

func ofDeployment(bg *v1alpha1.BlueGreen, o client.Object) bool {
	return slices.Contains(deployments(bg), o.GetName())
}

func ofReplicaSet(bg *v1alpha1.BlueGreen, o client.Object) bool {
	owner := metav1.GetControllerOf(o)
	return owner != nil && owner.Kind == "Deployment" && slices.Contains(deployments(bg), owner.Name)
}

// ofPod goes by the name of the pod's ReplicaSet, which is the Deployment's and
// the template's hash (pkg/controller/deployment/sync.go of kubernetes).
func ofPod(bg *v1alpha1.BlueGreen, o client.Object) bool {
	owner := metav1.GetControllerOf(o)
	if owner == nil || owner.Kind != "ReplicaSet" {
		return false
	}
	name, _ := strings.CutSuffix(owner.Name, "-"+o.GetLabels()[appsv1.DefaultDeploymentUniqueLabelKey])
	return slices.Contains(deployments(bg), name)
}

func ofAutoscaler(bg *v1alpha1.BlueGreen, o client.Object) bool {
	hpa, ok := o.(*autoscalingv2.HorizontalPodAutoscaler)
	return ok && hpa.Spec.ScaleTargetRef.Kind == "Deployment" && slices.Contains(deployments(bg), hpa.Spec.ScaleTargetRef.Name)
}

func ofService(bg *v1alpha1.BlueGreen, o client.Object) bool {
	return slices.Contains(services(bg), o.GetName())
}

func ofEndpoints(bg *v1alpha1.BlueGreen, o client.Object) bool {
	return slices.Contains(services(bg), o.GetLabels()[discoveryv1.LabelServiceName])
}

// moreThanAFence reports whether an Ingress changed otherwise than by a fence. Nobody
// waits for one, and a release writes one at every look at which its patch may be on
// its way: it would wake itself, all the time.
func moreThanAFence(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.GetAnnotations()[v1alpha1.FenceAnnotation], e.ObjectNew.GetAnnotations()[v1alpha1.FenceAnnotation]
	if before == after {
		return true
	}
	plain := func(o client.Object) client.Object {
		o, _ = o.DeepCopyObject().(client.Object)
		annotations := o.GetAnnotations()
		delete(annotations, v1alpha1.FenceAnnotation)
		if len(annotations) == 0 {
			annotations = nil
		}
		o.SetAnnotations(annotations)
		o.SetManagedFields(nil)
		o.SetResourceVersion("")
		return o
	}
	return !equality.Semantic.DeepEqual(plain(e.ObjectOld), plain(e.ObjectNew))
}

func ofIngress(bg *v1alpha1.BlueGreen, o client.Object) bool { return o.GetName() == bg.IngressName() }
