package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// mayMove: nobody has locked the application. A lock after the intent is too late.
func mayMove(r *v1alpha1.Release, o Observed) bool {
	return !o.Locked || r.Status.Milestones.SwitchIntendedAt != nil
}

// mayMigrate: nobody has locked the application. A lock after the intent is too late.
func mayMigrate(r *v1alpha1.Release, o Observed) bool { return !o.Locked || r.Status.Migration != nil }

// runsStaged: the target runs what was staged, and nothing else.
func runsStaged(r *v1alpha1.Release, o Observed) bool {
	s, t := r.Status.Milestones.Staged, o.Target
	return s != nil && t.RolledOut && t.Image == s.Image && t.TemplateHash == s.TemplateHash
}

// bigEnough: the target has the live colour's current size.
func bigEnough(_ *v1alpha1.Release, o Observed) bool { return o.Target.Replicas >= o.Size }

// RunsAtSize is both runsStaged and bigEnough, for a rollback.
func RunsAtSize(r *v1alpha1.Release, o Observed) bool { return runsStaged(r, o) && bigEnough(r, o) }

// isWarm: the load balancer finds every pod of the target healthy or, if it does not
// report that, requests to the target's Service reach each of its pods.
func isWarm(r *v1alpha1.Release, o Observed) bool { return Warm(r, o).Warm }

// vouchedLately: the load balancer confirmed that recently. Hours may pass until a person
// approves.
func vouchedLately(r *v1alpha1.Release, o Observed) bool { return WarmAnew(r, o).Warm }

// gateFresh: the gate passed recently, with this very image and template, on every current
// pod.
func gateFresh(r *v1alpha1.Release, o Observed) bool {
	v, s := r.Status.Milestones.Verified, r.Status.Milestones.Staged
	if v == nil || s == nil || v.Image != s.Image || v.TemplateHash != s.TemplateHash {
		return false
	}
	for _, pod := range o.Target.Pods {
		if !pod.Terminating && !v1alpha1.HasPod(v.Pods, pod.Name) {
			return false
		}
	}
	return o.Now.Sub(v.At.Time) < o.Freshness
}

// gateAsked: the release has not waited for a person since the gate passed.
func gateAsked(r *v1alpha1.Release, _ Observed) bool {
	v := r.Status.Milestones.Verified
	return v != nil && !v.AskAgain
}

// passedBefore reports whether the gate has a fresh pass of what runs now, and is repeated only
// because the release waited for a person. One round then shows whether the pass still holds.
func passedBefore(r *v1alpha1.Release, o Observed) bool { return gateFresh(r, o) && !gateAsked(r, o) }

// untouchable is the wait while the target must stay as it is. Since the last switch, front ends
// may still send users to it, and its workers may work on what these left.
func untouchable(o Observed) Wait {
	if o.Unconfirmed != "" {
		return Wait{
			Message: "waits until the load balancer takes up the last switch: " + o.Unconfirmed,
			Waits:   &v1alpha1.Waiting{For: v1alpha1.WaitsForTakeUp, Detail: o.Unconfirmed},
		}
	}
	if o.Now.Before(o.DrainedAt) {
		return Wait{
			Until: o.DrainedAt, Message: "waits until the last switch has drained, " + Clock(o.DrainedAt),
			Waits: WaitsUntil(v1alpha1.WaitsForDrain, "", o.DrainedAt),
		}
	}
	if s := o.Behind; s != nil {
		waits := WaitsForObject(v1alpha1.WaitsForDrain, v1alpha1.BecauseQueue, s.Deployment)
		waits.Until = Stamp(s.LeftUntil)
		return Wait{
			Until: s.LeftUntil, Waits: waits,
			Message: "waits until the workers of deployment " + s.Deployment + ", which have a queue of their own, are stopped",
		}
	}
	return Wait{}
}
