package deployer

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
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
	"github.com/turnout-dev/turnout/internal/index"
	"github.com/turnout-dev/turnout/record"
)

// concurrent is how many applications are looked at in parallel. A look may wait for pods to
// answer the gate, and must not hold up other applications.
const concurrent = 16

// longestLook bounds one look at an application. It is far more than any look takes, so an answer
// that never comes holds up one look, not the application.
const longestLook = 2 * time.Minute

// Setup registers the deployer with a manager. Everything that a decision rests on is watched,
// and wakes its application.
func (d *Deployer) Setup(mgr ctrl.Manager) error {
	for _, run := range []manager.RunnableFunc{d.probers.run, d.live.run, d.asks.run, d.maps.run} {
		if err := mgr.Add(run); err != nil {
			return fmt.Errorf("setting up the deployer: %w", err)
		}
	}
	if err := mgr.Add(manager.RunnableFunc(d.calls.run)); err != nil {
		return fmt.Errorf("setting up the deployer: %w", err)
	}
	wake := make(chan event.TypedGenericEvent[*v1alpha1.BlueGreen], concurrent)
	d.probers.wake, d.live.wake = wake, wake
	d.calls.wake, d.calls.stopped, d.calls.firstBackOff = wake, make(chan struct{}), d.BackOff
	if err := index.Register(context.Background(), mgr.GetCache()); err != nil {
		return fmt.Errorf("setting up the deployer: %w", err)
	}
	parts := handler.EnqueueRequestsFromMapFunc(d.parts)
	b := ctrl.NewControllerManagedBy(mgr).
		Named("bluegreen").
		For(&v1alpha1.BlueGreen{}).
		Watches(&v1alpha1.BlueGreen{}, parts,
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&v1alpha1.Release{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: moreThanPublished})).
		Watches(&v1alpha1.Release{}, handler.Funcs{CreateFunc: d.rollbackRecorded}).
		Watches(&appsv1.Deployment{}, parts).
		Watches(&appsv1.ReplicaSet{}, parts).
		Watches(&corev1.Pod{}, parts).
		Watches(&corev1.Service{}, parts).
		Watches(&discoveryv1.EndpointSlice{}, parts).
		Watches(&networkingv1.Ingress{}, parts, builder.WithPredicates(predicate.Funcs{UpdateFunc: moreThanAFence})).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, parts).
		WatchesRawSource(source.Channel(wake, handler.TypedFuncs[*v1alpha1.BlueGreen, reconcile.Request]{GenericFunc: d.newsCame})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrent,
			ReconciliationTimeout:   longestLook,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, 30*time.Second),
		})
	if !d.Namespaced {
		b = b.Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(d.inNamespace),
			builder.WithPredicates(predicate.AnnotationChangedPredicate{}))
	}
	c, err := b.Build(record.TellPanics(d.Events, &v1alpha1.BlueGreen{}, d))
	if err != nil {
		return fmt.Errorf("setting up the deployer: %w", err)
	}
	if err := mgr.Add(d.watchHTTPRoutes(mgr, c, parts)); err != nil {
		return fmt.Errorf("setting up the deployer: %w", err)
	}
	return nil
}

// rollbackRecorded cancels the current look at a new rollback's application, and has it looked at again
// before all others.
func (d *Deployer) rollbackRecorded(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	rel, ok := e.Object.(*v1alpha1.Release)
	if !ok || rel.Spec.Rollback == nil || rel.Status.Phase.Finished() || rel.Labels[v1alpha1.ApplicationLabel] != rel.Spec.Application {
		return
	}
	app := client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Application}
	d.looks.interrupt(app, rel, time.Now())
	record.Enqueue(q, reconcile.Request{NamespacedName: app}, rel, 0)
}

// newsCame has an application looked at because of a prober's news, or an answer from outside.
func (d *Deployer) newsCame(
	_ context.Context, e event.TypedGenericEvent[*v1alpha1.BlueGreen], q workqueue.TypedRateLimitingInterface[reconcile.Request],
) {
	app := client.ObjectKeyFromObject(e.Object)
	d.courtesy.tell(app)
	q.Add(reconcile.Request{NamespacedName: app})
}

// parts wakes the applications that an object is part of, or that have a finding about it. A
// BlueGreen also concerns the others that name one of its Services, since they may not share one.
func (d *Deployer) parts(ctx context.Context, object client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, value := range index.PartsOf(object) {
		found, err := d.applications(ctx, object.GetNamespace(), client.MatchingFields{index.Part: value})
		if err != nil {
			d.Log.ErrorContext(ctx, "finding the applications of an object", "object", value, "namespace", object.GetNamespace(), "error", err)
		}
		out = append(out, found...)
	}
	return out
}

// inNamespace wakes every application of a namespace whose grants may have changed.
func (d *Deployer) inNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	if len(d.Record.Namespaces) > 0 && !slices.Contains(d.Record.Namespaces, object.GetName()) {
		return nil
	}
	found, err := d.applications(ctx, object.GetName())
	if err != nil {
		d.Log.ErrorContext(ctx, "listing bluegreens", "namespace", object.GetName(), "error", err)
	}
	return found
}

// applications are those of a namespace that the options select. It reads only their names, so it
// copies nothing.
func (d *Deployer) applications(ctx context.Context, namespace string, selected ...client.ListOption) ([]reconcile.Request, error) {
	var list v1alpha1.BlueGreenList
	if err := d.Client.List(ctx, &list, append(selected, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)...); err != nil {
		return nil, fmt.Errorf("listing bluegreens of namespace %s: %w", namespace, err)
	}
	var out []reconcile.Request
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out, nil
}

// moreThanPublished reports whether a release's change is more than that the bot noted what GitHub
// shows, which nothing here reads. It does so a few times for every release.
func moreThanPublished(e event.UpdateEvent) bool {
	older, was := e.ObjectOld.(*v1alpha1.Release)
	newer, is := e.ObjectNew.(*v1alpha1.Release)
	if !was || !is || older.ResourceVersion == newer.ResourceVersion { // the cache lists again
		return true
	}
	a, b := *older, *newer
	for _, rel := range []*v1alpha1.Release{&a, &b} {
		rel.Status.GitHub, rel.ManagedFields, rel.ResourceVersion = nil, nil, ""
	}
	return !equality.Semantic.DeepEqual(&a, &b)
}

// moreThanAFence reports whether an Ingress change is more than a fence. Nobody waits for a
// fence, and a release may write one at every look, so it would keep waking itself.
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
