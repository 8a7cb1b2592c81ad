package track

import (
	"fmt"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// WayBack judges, by the criteria of a rollback, whether the previous version could take users
// now.
func WayBack(bg *v1alpha1.BlueGreen, o Observed, to v1alpha1.Version) v1alpha1.WayBack {
	t, live := o.Sides[to.Color], o.Sides[to.Color.Other()]
	least := bg.Spec.MinReplicas
	if !live.DeploymentExists {
		least = max(least, to.Replicas)
	}
	needed, _ := Size(least, live, t)
	back := v1alpha1.WayBack{Color: to.Color, Needed: max(1, needed)}
	if !t.DeploymentExists {
		back.Missing = fmt.Sprintf("deployment %s is gone", t.Deployment)
		return back
	}
	if !Runs(t, to) {
		back.Missing = fmt.Sprintf("deployment %s now runs another version", t.Deployment)
		return back
	}
	for _, p := range t.Pods {
		if !p.Terminating && slices.Contains(o.Back[to.Color].Endpoints, p.Name) {
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

// Runs reports whether a colour's Deployment runs a version, by the criteria of a rollback.
func Runs(t Side, to v1alpha1.Version) bool {
	return t.TemplateHash != "" && t.TemplateHash == to.TemplateHash && (t.RunningImage == "" || t.RunningImage == to.Image)
}

// WithdrawLateAt is when a release that takes users back from its target is late with that: the
// weight 0 is not in effect. It is zero if there is nothing to wait for.
func WithdrawLateAt(bg *v1alpha1.BlueGreen, r *v1alpha1.Release) time.Time {
	if r == nil || r.Status.Step != v1alpha1.StepWithdraw || len(r.Status.Timeline) == 0 {
		return time.Time{}
	}
	if last := r.LastWeight(); last == nil || last.Weight == 0 && last.EffectiveAt != nil {
		return time.Time{}
	}
	return r.Status.Timeline[len(r.Status.Timeline)-1].StartedAt.Add(confirmTime(bg))
}

// WithdrawLate reports whether it is late.
func WithdrawLate(bg *v1alpha1.BlueGreen, r *v1alpha1.Release, now time.Time) bool {
	at := WithdrawLateAt(bg, r)
	return !at.IsZero() && !now.Before(at)
}

// unhealthy is the problem that a rollback would find at the load balancer; "" if there is none.
func unhealthy(bg *v1alpha1.BlueGreen, o Observed, t Side) string {
	l := WarmLook{
		Now: o.Now, LoadBalancer: o.Routes.LoadBalancer, Service: t.Service, Pods: t.Pods,
		Endpoints: o.Back[t.Color].Endpoints, Groups: o.Back[t.Color].Groups, Rollback: true,
		Standby: o.Routes.StandbyWord(), Settle: o.Settle,
		Referenced: o.Routes.Kept(t.Color) || o.Routes.Live() == t.Color,
	}
	if last := bg.Status.LastSwitch; last != nil && last.From.Color == t.Color && !last.Shrunk {
		l.LeftAt = last.At.Time
	}
	for _, g := range l.Groups {
		if o.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE && g.Unhealthy() {
			return fmt.Sprintf("the load balancer finds service %s unhealthy", t.Service)
		}
	}
	if o.Routes.Live() == t.Color || o.Routes.Shared() {
		return "" // users have not left it, or not all of them
	}
	if w := l.Judge(); len(w.Lacking) > 0 {
		return w.Lacking[0].String()
	}
	return ""
}
