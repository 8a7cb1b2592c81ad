package deployer

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// Reconcile looks at one application and does what is due. It reads its whole input again, so it
// may run at any time, any number of times.
func (d *Deployer) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	log := d.Log.With("bluegreen", req.String())
	ctx, end := d.looks.begin(ctx, req.NamespacedName)
	defer end()
	again, err := d.wired().look(ctx, log, req.NamespacedName)
	switch {
	case err == nil:
		return reconcile.Result{RequeueAfter: again}, nil
	case errors.Is(context.Cause(ctx), errRollback):
		log.InfoContext(ctx, "look cancelled for a rollback", "error", err)
		return reconcile.Result{RequeueAfter: time.Millisecond}, nil
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, nil
	case errors.Is(err, record.ErrHeld):
		log.DebugContext(ctx, "lost a race", "error", err)
		return reconcile.Result{RequeueAfter: afterRace}, nil
	}
	if newer, ok := errors.AsType[*v1alpha1.NewerFormatError](err); ok {
		d.leaveToNewer(ctx, log, req.NamespacedName, newer)
		return reconcile.Result{RequeueAfter: safetyNet}, nil
	}
	return reconcile.Result{}, err
}
