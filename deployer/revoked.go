package deployer

import (
	"context"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// revoking stops builds that have lost their grant.
type revoking struct{ *work }

// stopRevoked stops an application's builds that need something that is no longer granted to its
// namespace: they would continue with an account that it may not use. Every call reads the grants
// itself, so a build that cannot be stopped is only reported. If the grant comes back, the release
// builds again.
func (w revoking) stopRevoked(ctx context.Context) error {
	if !w.revoked {
		return nil
	}
	for i := range w.releases {
		rel := &w.releases[i]
		if b := rel.Status.Build; rel.Status.Phase.Finished() || rel.Status.Failure != nil || b == nil || track.Built(rel) ||
			b.CancelledAt != nil {
			continue
		}
		if err := w.stopOne(ctx, w.attempt(rel)); err != nil {
			return err
		}
	}
	return nil
}

func (w revoking) stopOne(ctx context.Context, a *attempt) error {
	a.turn = turns{a}.turnOf(v1alpha1.StepBuild)
	if until, why := a.turn.held(w.o.Now); why != nil {
		w.wakeAt(until)
		return nil //nolint:nilerr // a wait, not a failure
	}
	err := buildRecord{a}.cancelBuild(ctx)
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
		a.log.WarnContext(ctx, "the build whose grant was taken away will be stopped later", "error", err)
		w.wakeAt(w.o.Now.Add(retryGrant))
	case a.rel.Status.Build.CancelledAt != nil:
		a.finding("its build was stopped: " + w.barred.Error())
	}
	return a.save(ctx)
}
