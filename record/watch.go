package record

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// publishing is how many applications are published concurrently.
const publishing = 4

// A release takes most of its steps in a moment, and nobody wants to hear of each. So a call follows
// once an application's releases have not changed for quiet, but at the latest after mostQuiet. Until
// then nothing that the caller records is written beside the steps, which would delay them.
const (
	quiet     = 300 * time.Millisecond
	mostQuiet = 2 * time.Second
)

// While many releases are on their way to their users, all of them need the API server and the
// processor, and reports can wait: at most for mostCrowded, those of a rollback not at all.
const (
	mostCrowded  = 15 * time.Second
	crowdedPause = 500 * time.Millisecond
)

// newer reports whether a newer version wrote what was read. That version publishes it.
func newer(err error) bool {
	_, ok := errors.AsType[*v1alpha1.NewerFormatError](err)
	return ok
}

// Watch calls back for every release that exists or changes, on the leader only:
// sequentially for the releases of one application, concurrently for several applications. It calls
// a moment after the last change, or at the latest 2 s after the first, with the release as the cache
// has it.
// While the record is [Record.Crowded], it may call up to 15 s later, but not for a rollback.
// It may repeat a call for the same state. After an error it calls again with back-off;
// after a positive duration it calls again when that has passed.
func (r *Record) Watch(mgr ctrl.Manager, name string, changed func(context.Context, *v1alpha1.Release) (time.Duration, error)) error {
	w := &watching{
		record: r, changed: changed, waiting: map[types.NamespacedName]map[string]bool{}, changes: map[types.NamespacedName]changes{},
	}
	w.one = TellPanics(mgr.GetEventRecorder("turnout"), &v1alpha1.Release{}, reconcile.Func(w.callFor))
	err := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		Watches(&v1alpha1.Release{}, handler.Funcs{
			CreateFunc: func(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
				Enqueue(q, w.note(e.Object), e.Object, quiet)
			},
			UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
				Enqueue(q, w.note(e.ObjectNew), e.ObjectNew, quiet)
			},
		}).
		WithOptions(controller.Options{MaxConcurrentReconciles: publishing}).
		Complete(reconcile.Func(w.call))
	if err != nil {
		return fmt.Errorf("watching releases: %w", err)
	}
	return nil
}

// watching has one request per application in the work queue, which never hands out the
// same one twice at a time. It knows which of the application's releases need a call.
type watching struct {
	record  *Record
	changed func(context.Context, *v1alpha1.Release) (time.Duration, error)
	one     reconcile.Reconciler // calls back for one release

	mu      sync.Mutex
	waiting map[types.NamespacedName]map[string]bool // names of releases, by application
	changes map[types.NamespacedName]changes         // by application
}

// changes are when the releases of an application have changed since the last call, and whether users
// wait for one of them to take them back.
type changes struct {
	first, last time.Time
	rollback    bool
}

// note remembers that a release changed, before its application is queued.
func (w *watching) note(rel client.Object) reconcile.Request {
	app, rollback := types.NamespacedName{Namespace: rel.GetNamespace()}, false
	if rel, ok := rel.(*v1alpha1.Release); ok {
		app.Name, rollback = rel.Spec.Application, rollsBack(rel)
	}
	w.add(app, rel.GetName())
	w.mu.Lock()
	defer w.mu.Unlock()
	c, found := w.changes[app]
	c.last, c.rollback = time.Now(), c.rollback || rollback
	if !found {
		c.first = c.last
	}
	w.changes[app] = c
	return reconcile.Request{NamespacedName: app}
}

func (w *watching) add(app types.NamespacedName, names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		if w.waiting[app] == nil {
			w.waiting[app] = map[string]bool{}
		}
		w.waiting[app][name] = true
	}
}

// take returns the releases that changed since the last call, or how long to wait for them to be
// quiet, or for others to be less in a hurry.
func (w *watching) take(app types.NamespacedName) (names []string, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, found := w.changes[app]; found {
		wait = min(time.Until(c.last.Add(quiet)), time.Until(c.first.Add(mostQuiet)))
		if crowded := w.record.Crowded; crowded != nil && !c.rollback && crowded() {
			wait = max(wait, min(crowdedPause, time.Until(c.first.Add(mostCrowded))))
		}
	}
	if wait > 0 {
		return nil, wait
	}
	delete(w.changes, app)
	names = slices.Sorted(maps.Keys(w.waiting[app]))
	delete(w.waiting, app)
	return names, 0
}

// call calls back for the releases of an application. It remembers those that failed or
// want another call. A panic in one does not delay the others.
func (w *watching) call(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var soonest time.Duration
	var urgency int
	var errs []error
	var panicked any
	names, wait := w.take(req.NamespacedName)
	if wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	for _, name := range names {
		result, v, err := w.try(ctx, types.NamespacedName{Namespace: req.Namespace, Name: name})
		if v != nil {
			panicked = v
		}
		again := result.RequeueAfter
		if v != nil || err != nil || again > 0 {
			w.add(req.NamespacedName, name)
			urgency = max(urgency, ptr.Deref(result.Priority, 0))
		}
		if again > 0 && (soonest == 0 || again < soonest) {
			soonest = again
		}
		errs = append(errs, err)
	}
	if panicked != nil {
		panic(panicked) // controller-runtime counts it, and calls again with back-off
	}
	return reconcile.Result{RequeueAfter: soonest, Priority: &urgency}, errors.Join(errs...)
}

// try calls back for a release, and returns its panic with the stack.
func (w *watching) try(ctx context.Context, key types.NamespacedName) (result reconcile.Result, panicked any, err error) {
	defer func() {
		if v := recover(); v != nil {
			panicked = fmt.Sprintf("%v, looking at release %s\n%s", v, key, debug.Stack())
		}
	}()
	result, err = w.one.Reconcile(ctx, reconcile.Request{NamespacedName: key})
	return result, nil, err
}

func (w *watching) callFor(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var rel v1alpha1.Release
	if err := w.record.Client.Get(ctx, req.NamespacedName, &rel); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if newer(rel.Readable()) {
		return reconcile.Result{}, nil
	}
	again, err := w.changed(ctx, &rel)
	if newer(err) {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: again, Priority: new(Urgency([]v1alpha1.Release{rel}))}, client.IgnoreNotFound(err)
}

// due leaves out events after which nothing is to be done: of deliveries that are finished, of which
// thousands are kept, and that an attempt has begun, which ends with another event. If its process
// dies first, the next one sees the delivery as new.
func due() predicate.Funcs {
	finished := func(o client.Object) bool {
		d, ok := o.(*v1alpha1.Delivery)
		return ok && d.Status.Phase.Finished()
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !finished(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			d, ok := e.ObjectNew.(*v1alpha1.Delivery)
			return !finished(e.ObjectNew) && (!ok || d.Status.Running == "")
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

// handling is how many deliveries are handled concurrently.
const handling = 8

// Watch calls back for every delivery that is not finished and exists or changes, on the leader
// only, and never concurrently for the same one. It does not call for the beginning of an
// attempt. After an error it calls again with back-off; after a positive duration it calls
// again when that has passed. A newer version's delivery gets an event and no further call.
func (r *Deliveries) Watch(mgr ctrl.Manager, handle func(ctx context.Context, name string) (time.Duration, error)) error {
	recorder := mgr.GetEventRecorder("turnout")
	reconciler := reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if req.Namespace != r.Namespace {
			return reconcile.Result{}, nil
		}
		again, err := handle(ctx, req.Name)
		if newer(err) {
			return reconcile.Result{}, r.leaveToNewer(ctx, recorder, req.Name)
		}
		if err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{RequeueAfter: again}, nil
	})
	err := ctrl.NewControllerManagedBy(mgr).
		Named("delivery").
		For(&v1alpha1.Delivery{}, builder.WithPredicates(due())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: handling,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](200*time.Millisecond, 10*time.Second),
		}).
		Complete(TellPanics(recorder, &v1alpha1.Delivery{}, reconciler))
	if err != nil {
		return fmt.Errorf("watching deliveries: %w", err)
	}
	return nil
}

// leaveToNewer makes an event of a newer version's delivery. It leaves the delivery itself
// alone.
func (r *Deliveries) leaveToNewer(ctx context.Context, recorder events.EventRecorder, name string) error {
	var d v1alpha1.Delivery
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: r.Namespace, Name: name}, &d); err != nil {
		return client.IgnoreNotFound(err)
	}
	if err := d.Readable(); err != nil {
		recorder.Eventf(&d, nil, corev1.EventTypeWarning, "NewerRecord", "Handle", "%s", err.Error())
	}
	return nil
}
