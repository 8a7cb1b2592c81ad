package deployer

import (
	"context"
	"fmt"
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// observeWayBack looks at what the load balancer and the Services have of the
// version that users would return to. All of it is read from caches.
func (d *Deployer) observeWayBack(ctx context.Context, bg *v1alpha1.BlueGreen, o *observed) error {
	o.Back = map[v1alpha1.Color]reachable{}
	for c, side := range o.Sides {
		var r reachable
		var err error
		if r.endpoints, err = d.Routes.ReadyEndpoints(ctx, bg.Namespace, side.Service); err != nil {
			return err
		}
		if o.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE {
			if r.groups, err = d.Routes.GroupStates(ctx, bg, o.Routes, c); err != nil {
				return err
			}
		}
		o.Back[c] = r
	}
	return nil
}

// reachable is what would carry requests to a colour.
type reachable struct {
	endpoints []string
	groups    []track.Group
}

// describeWayBack says whether users could return at once to the version before
// the live one. It is derived from what is true now, at every write.
func (w *work) describeWayBack() {
	to := w.wayBackTo()
	if to == nil || w.o.Back == nil {
		w.bg.Status.WayBack = nil
		return
	}
	back := wayBack(w.bg, w.o, *to)
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

// wayBack judges, as a rollback's own steps would, whether the version that users
// would return to could take them now. It is pure.
func wayBack(bg *v1alpha1.BlueGreen, o observed, to v1alpha1.Version) v1alpha1.WayBack {
	t, live := o.Sides[to.Color], o.Sides[to.Color.Other()]
	least := bg.Spec.MinReplicas
	if !live.DeploymentExists {
		least = max(least, to.Replicas)
	}
	needed, _ := track.Size(least, live, t)
	back := v1alpha1.WayBack{Color: to.Color, Needed: max(1, needed)}
	if !t.DeploymentExists {
		back.Missing = fmt.Sprintf("deployment %s is gone", t.Deployment)
		return back
	}
	if !runs(t, to) {
		back.Missing = fmt.Sprintf("deployment %s runs another version by now", t.Deployment)
		return back
	}
	for _, p := range t.Pods {
		if !p.Terminating && slices.Contains(o.Back[to.Color].endpoints, p.Name) {
			back.Ready++
		}
	}
	if back.Ready < back.Needed {
		back.Missing = fmt.Sprintf("service %s has fewer ready endpoints of it than users need", t.Service)
		return back
	}
	back.Missing = unhealthy(bg, o, t)
	return back
}

// runs reports whether a colour's Deployment is at a version, as a rollback judges
// it.
func runs(t track.Side, to v1alpha1.Version) bool {
	return t.TemplateHash != "" && t.TemplateHash == to.TemplateHash && (t.RunningImage == "" || t.RunningImage == to.Image)
}

// unhealthy is what a rollback would wait for, or find amiss, at the load balancer;
// "" if there is nothing.
func unhealthy(bg *v1alpha1.BlueGreen, o observed, t track.Side) string {
	l := track.WarmLook{
		Now: o.Now, LoadBalancer: o.Routes.LoadBalancer, Service: t.Service, Pods: t.Pods,
		Endpoints: o.Back[t.Color].endpoints, Groups: o.Back[t.Color].groups, Rollback: true,
		Referenced: o.Routes.Attached(t.Color) || o.Routes.Live() == t.Color,
	}
	if last := bg.Status.LastSwitch; last != nil && last.From.Color == t.Color && !last.Shrunk {
		l.LeftAt = last.At.Time
	}
	for _, g := range l.Groups {
		if o.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE && g.Unhealthy() {
			return fmt.Sprintf("the load balancer finds service %s unhealthy", t.Service)
		}
	}
	if o.Routes.Live() == t.Color {
		return "" // users have not left it
	}
	if w := l.Judge(); len(w.Lacking) > 0 {
		return w.Lacking[0].String()
	}
	return ""
}
