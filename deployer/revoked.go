package deployer

import (
	"context"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// revoking stops builds that have lost their grant.
type revoking struct {
	recorder
	build buildRecord
	turns turns
}

// stopRevoked stops an application's builds that need something that is no longer granted to its
// namespace. They would continue with an account that it may not use. Every call reads the grants
// itself, so a build that cannot be stopped is only reported. If the grant comes back, the
// release builds again.
func (r revoking) stopRevoked(ctx context.Context, w *work) error {
	if !w.revoked {
		return nil
	}
	for i := range w.releases {
		rel := &w.releases[i]
		if b := rel.Status.Build; rel.Status.Phase.Finished() || rel.Status.Failure != nil || b == nil || track.Built(rel) ||
			b.CancelledAt != nil {
			continue
		}
		if err := r.stopOne(ctx, w, w.attempt(rel)); err != nil {
			return err
		}
	}
	return nil
}

func (r revoking) stopOne(ctx context.Context, w *work, a *attempt) error {
	a.turn = r.turns.turnOf(a, v1alpha1.StepBuild)
	if until, why := a.turn.held(w.o.Now); why != nil {
		w.wakeAt(until)
		return nil //nolint:nilerr // a wait, not a failure
	}
	err := r.build.cancelBuild(ctx, a)
	if asked := pending(err); asked != nil {
		w.wakeAt(asked.pause(w.o.Now).until)
		return nil
	}
	if until := a.turn.settle(w.o.Now, err); !until.IsZero() {
		w.wakeAt(until)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		a.log.WarnContext(ctx, "a build without its grant could not be stopped; trying again later", "error", err)
		w.wakeAt(w.o.Now.Add(retryGrant))
	case a.rel.Status.Build.CancelledAt != nil:
		a.finding("its build was stopped: " + w.barred.Error())
	}
	return r.save(ctx, a)
}
