package deployer

import (
	"context"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// wayBack observes the load balancer and the Services for the version that users would return to.
// It reads only caches.
func (s observing) wayBack(ctx context.Context, bg *v1alpha1.BlueGreen, o *track.Observed) error {
	o.Back = map[v1alpha1.Color]track.Reachable{}
	for c, side := range o.Sides {
		var r track.Reachable
		var err error
		if r.Endpoints, err = s.routes.ReadyEndpoints(ctx, bg.Namespace, side.Service); err != nil {
			return err
		}
		if o.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE {
			if r.Groups, err = s.routes.GroupStates(ctx, bg, o.Routes, c); err != nil {
				return err
			}
		}
		o.Back[c] = r
	}
	return nil
}
