package deployer

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// moving patches the Ingress.
type moving struct{ routes routesReader }

// moveRoutes makes one patch of the Ingress and reads the result. If it loses a race to somebody
// who left our routes alone, the next look tries again. If somebody changed our routes, their
// change stays.
func (m moving) moveRoutes(ctx context.Context, a *attempt, patch func() error) error {
	before := a.o.Routes
	err := patch()
	if _, ok := errors.AsType[*route.PortError](err); ok {
		return &fault{class: v1alpha1.FaultRelease, reason: v1alpha1.FailedPorts, message: err.Error()}
	}
	lost := errors.Is(err, route.ErrLostRace)
	if err != nil && !lost {
		return err
	}
	now, observeErr := m.routes.Observe(ctx, a.bg)
	if observeErr != nil {
		return observeErr
	}
	a.o.Routes = now.DuringRelease(a.rel)
	if a.o.OnGCE() && !lost && now.Generation == before.Generation+1 {
		a.bg.Status.Ingress = &v1alpha1.IngressSeen{Generation: now.Generation, Since: metav1.NewTime(time.Now()), UID: string(a.rel.UID)}
	}
	ours := track.Divides(a.rel, a.o) && track.Ours(a.rel, a.o) // an earlier patch of this release, which was late
	if lost && !ours && !route.Same(before, now) {
		return &fault{
			class: v1alpha1.FaultInterference, reason: v1alpha1.FailedInterference,
			message: fmt.Sprintf("the routes of %s were changed by someone else during the release; nothing was changed by this release "+
				"since", now),
		}
	}
	return nil
}

// waitsForRoutes is the wait until the Ingress has the routes that this release wrote.
func waitsForRoutes(a *attempt, because v1alpha1.WaitingBecause) *v1alpha1.Waiting {
	return track.WaitsForObject(v1alpha1.WaitsForIngress, because, a.o.Routes.Name)
}
