package deployer

import (
	"context"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// observeWayBack looks at what the load balancer and the Services have of the
// version that users would return to. All of it is read from caches.
func (d *Deployer) observeWayBack(ctx context.Context, bg *v1alpha1.BlueGreen, o *track.Observed) error {
	o.Back = map[v1alpha1.Color]track.Reachable{}
	for c, side := range o.Sides {
		var r track.Reachable
		var err error
		if r.Endpoints, err = d.Routes.ReadyEndpoints(ctx, bg.Namespace, side.Service); err != nil {
			return err
		}
		if o.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE {
			if r.Groups, err = d.Routes.GroupStates(ctx, bg, o.Routes, c); err != nil {
				return err
			}
		}
		o.Back[c] = r
	}
	return nil
}

// describeWayBack says whether users could return at once to the version before
// the live one. It is derived from what is true now, at every write.
func (w *work) describeWayBack() {
	to := w.wayBackTo()
	if to == nil || w.o.Back == nil {
		w.bg.Status.WayBack = nil
		return
	}
	back := track.WayBack(w.bg, w.o, *to)
	w.bg.Status.WayBack = &back
}

// wayBackTo is the version that a rollback would return to: while a switch is under
// way, the one that users are just being moved from.
func (w *work) wayBackTo() *v1alpha1.Version {
	active := w.bg.Status.Active
	for i := range w.releases {
		rel := &w.releases[i]
		m := rel.Status.Milestones
		if active != nil && string(rel.UID) == active.UID && rel.Spec.Deploy != nil && m.SwitchIntendedAt != nil && m.RestoredAt == nil &&
			m.Previous != nil {
			return m.Previous
		}
	}
	return w.bg.Status.Previous
}
