package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// publishing is how many releases are published at the same time.
const publishing = 4

// newer reports whether a newer version wrote what was read. That version publishes it.
func newer(err error) bool {
	_, ok := errors.AsType[*v1alpha1.NewerFormatError](err)
	return ok
}

// Watch calls back for every release that exists or changes, on the leader only. It may
// call more than once for the same state. After an error it calls again with back-off;
// after a positive duration it calls again when that has passed.
func (r *Record) Watch(mgr ctrl.Manager, name string, changed func(context.Context, *v1alpha1.Release) (time.Duration, error)) error {
	reconciler := reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		rel, err := r.Release(ctx, req.NamespacedName)
		if apierrors.IsNotFound(errors.Unwrap(err)) || newer(err) {
			return reconcile.Result{}, nil
		}
		if err != nil {
			return reconcile.Result{}, err
		}
		again, err := changed(ctx, rel)
		if newer(err) {
			return reconcile.Result{}, nil
		}
		if client.IgnoreNotFound(err) != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{RequeueAfter: again}, nil
	})
	err := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		For(&v1alpha1.Release{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: publishing}).
		Complete(TellPanics(mgr.GetEventRecorder("turnout"), &v1alpha1.Release{}, reconciler))
	if err != nil {
		return fmt.Errorf("watching releases: %w", err)
	}
	return nil
}
