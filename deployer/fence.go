package deployer

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// fencing invalidates patches that may still be on their way.
type fencing struct {
	routes interface {
		routesReader
		Fence(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes) error
	}
}

// fence invalidates what an earlier look of this release sent, if nobody knows whether it will
// arrive: a process that was taken over may hang right before its patch. From here on the release
// may take another way, and the target may be shrunk or staged over.
func (f fencing) fence(ctx context.Context, a *attempt) error {
	if !track.PatchMayBeOut(a.rel, a.o) {
		return nil
	}
	err := f.routes.Fence(ctx, a.bg, a.o.Routes)
	switch {
	case err == nil, errors.Is(err, route.ErrLostRace):
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		// That patch is then refused as well. The release must not hang for ever.
		a.log.WarnContext(ctx, "the routes cannot be fenced", "routes", a.o.Routes.String(), "error", err)
		return nil
	default:
		return err
	}
	now, observeErr := f.routes.Observe(ctx, a.bg)
	if observeErr != nil {
		return observeErr
	}
	a.o.Routes = now.DuringRelease(a.rel)
	if err != nil && track.PatchMayBeOut(a.rel, a.o) {
		return err // not our patch: look again
	}
	return nil
}
