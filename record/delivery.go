package record

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Deliveries reads and writes the webhooks to handle.
type Deliveries struct {
	// Client writes, and Reader reads past any cache.
	Client client.Client
	Reader client.Reader
	// Namespace of the deliveries: Turnout's own.
	Namespace string
}

// handling is how many deliveries are handled at the same time.
const handling = 8

// Put writes a delivery, or finds that one of its name exists.
func (r *Deliveries) Put(ctx context.Context, d *v1alpha1.Delivery) (created bool, err error) {
	d.Namespace, d.Status.Format = r.Namespace, v1alpha1.Format
	err = r.Client.Create(ctx, d, client.FieldOwner(v1alpha1.BotManager))
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("writing delivery %s: is there a namespace %s, and the CRD deliveries.turnout.dev? %w", d.Name, r.Namespace, err)
	}
	if err != nil {
		return false, fmt.Errorf("writing delivery %s: %w", d.Name, err)
	}
	return true, nil
}

// Get returns a delivery. One that a newer version wrote is a
// [v1alpha1.NewerFormatError].
func (r *Deliveries) Get(ctx context.Context, name string) (*v1alpha1.Delivery, error) {
	var d v1alpha1.Delivery
	if err := r.Reader.Get(ctx, types.NamespacedName{Namespace: r.Namespace, Name: name}, &d); err != nil {
		return nil, fmt.Errorf("reading delivery %s: %w", name, err)
	}
	if err := d.Readable(); err != nil {
		return nil, err
	}
	return &d, nil
}

// List returns all of them, also those that a newer version wrote.
func (r *Deliveries) List(ctx context.Context) ([]v1alpha1.Delivery, error) {
	var list v1alpha1.DeliveryList
	if err := r.Client.List(ctx, &list, client.InNamespace(r.Namespace)); err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return list.Items, nil
}

// Update writes a delivery by compare-and-swap.
func (r *Deliveries) Update(ctx context.Context, d *v1alpha1.Delivery) error {
	if err := d.Readable(); err != nil {
		return err
	}
	d.Status.Format = v1alpha1.Format
	err := r.Client.Update(ctx, d, client.FieldOwner(v1alpha1.BotManager))
	if apierrors.IsConflict(err) {
		return fmt.Errorf("delivery %s: %w", d.Name, ErrHeld)
	}
	if err != nil {
		return fmt.Errorf("writing delivery %s: %w", d.Name, err)
	}
	return nil
}

// Delete deletes a delivery.
func (r *Deliveries) Delete(ctx context.Context, name string) error {
	d := &v1alpha1.Delivery{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: name}}
	if err := client.IgnoreNotFound(r.Client.Delete(ctx, d)); err != nil {
		return fmt.Errorf("deleting delivery %s: %w", name, err)
	}
	return nil
}

// Watch calls back for every delivery that exists or changes, on the leader only, and
// never twice at a time for one. After an error it calls again with back-off; after a
// positive duration it calls again when that has passed. A delivery of a newer version
// gets an event, and no further call.
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
		For(&v1alpha1.Delivery{}).
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

// leaveToNewer makes an event of a delivery that a newer version wrote. It leaves the
// record itself to that version.
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
