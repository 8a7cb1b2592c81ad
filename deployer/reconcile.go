package deployer

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// Reconcile looks at one application and does what is due. It reads its whole input again, so it
// may run at any time, any number of times. A look that nobody waits for may give way to others.
func (d *Deployer) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	app := req.NamespacedName
	releases, err := d.known(ctx, app)
	if err != nil {
		return reconcile.Result{}, err
	}
	result := reconcile.Result{Priority: new(record.Urgency(releases))} // of the next look
	end, may := d.courtesy.begin(app, awaited(releases), time.Now())
	if !may {
		result.RequeueAfter = givingWayPause
		return result, nil
	}
	defer end()
	result.RequeueAfter, err = d.lookAt(ctx, app)
	return result, err
}

// lookAt looks at an application and returns when to look again.
func (d *Deployer) lookAt(ctx context.Context, app client.ObjectKey) (time.Duration, error) {
	log := d.Log.With("bluegreen", app.String())
	ctx, end := d.looks.begin(ctx, app)
	defer end()
	again, err := d.wired().look(ctx, log, app)
	switch {
	case err == nil:
		return again, nil
	case errors.Is(context.Cause(ctx), errRollback):
		log.InfoContext(ctx, "look cancelled for a rollback", "error", err)
		return time.Millisecond, nil
	case apierrors.IsNotFound(err):
		return 0, nil
	case errors.Is(err, record.ErrHeld):
		log.DebugContext(ctx, "lost a race", "error", err)
		return afterRace, nil
	}
	if newer, ok := errors.AsType[*v1alpha1.NewerFormatError](err); ok {
		d.leaveToNewer(ctx, log, app, newer)
		return safetyNet, nil
	}
	return 0, err
}
