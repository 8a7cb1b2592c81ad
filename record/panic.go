package record

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TellPanics turns a panic into an event of the object: the object failed, not the process.
// controller-runtime recovers the panic (its default, RecoverPanic), logs its stack, counts
// it in controller_runtime_reconcile_panics_total, and calls again, at growing intervals.
func TellPanics(recorder events.EventRecorder, object client.Object, next reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if about, ok := object.DeepCopyObject().(client.Object); ok && recorder != nil {
				about.SetNamespace(req.Namespace)
				about.SetName(req.Name)
				recorder.Eventf(about, nil, corev1.EventTypeWarning, "Panicked", "Reconcile",
					"Turnout panicked while it looked at this object, and tries again; its log has the stack. Please report it.")
			}
			panic(v)
		}()
		return next.Reconcile(ctx, req)
	})
}
