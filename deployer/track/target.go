package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// LookOf collects what the target's warmth is judged by.
func LookOf(r *v1alpha1.Release, o Observed) WarmLook {
	l := WarmLook{
		Now: o.Now, LoadBalancer: o.Routes.LoadBalancer, Service: o.Target.Service,
		Pods: o.Target.Pods, Endpoints: o.Endpoints, Groups: o.Groups, LeftAt: o.LeftAt, Settle: o.Settle,
	}
	if r.Status.Route != nil {
		l.Known = *r.Status.Route
	}
	l.Standby = o.Routes.StandbyWord(l.Known.Parents...)
	l.Rollback, l.Shared = r.Spec.Kind == v1alpha1.Rollback, Unites(r) && o.Routes.Shared()
	// If this release had to make the reference, it was gone, and with it what the load balancer
	// knew of the pods. An intent is recorded only after the reference was taken up.
	l.Referenced = o.Routes.Kept(o.Target.Color) && (l.Known.EventsBefore == "" || r.Status.Milestones.SwitchIntendedAt != nil)
	return l
}

// lookAnew also considers how long ago the target was found warm.
func lookAnew(r *v1alpha1.Release, o Observed) WarmLook {
	l := LookOf(r, o)
	if at := r.Status.Milestones.WarmedAt; at != nil {
		l.ToldAt, l.Freshness = at.Time, o.Freshness
	}
	return l
}

// Warm judges a release's target.
func Warm(r *v1alpha1.Release, o Observed) Warmth { return LookOf(r, o).Judge() }

// WarmAnew also considers how long ago the target was found warm.
func WarmAnew(r *v1alpha1.Release, o Observed) Warmth { return lookAnew(r, o).Judge() }
