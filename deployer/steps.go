package deployer

import (
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// deploy puts a commit in front of users.
var deploy = []step{
	{name: v1alpha1.StepBuild, done: built, act: (*attempt).build},
	{name: v1alpha1.StepAttach, done: attached, after: untouchable, act: (*attempt).attach},
	{name: v1alpha1.StepStage, done: staged, after: untouchable, act: (*attempt).stage},
	{name: v1alpha1.StepWarm, done: warmed, act: (*attempt).warm},
	{name: v1alpha1.StepVerify, done: verified, needs: []need{running, warm}, act: (*attempt).verify},
	{name: v1alpha1.StepPromote, done: approved, act: (*attempt).promote},
	{
		name: v1alpha1.StepSwitch, done: switched, needs: []need{unlocked, running, sized, warm, fresh, asked, vouched},
		act: (*attempt).switchTraffic,
	},
	{name: v1alpha1.StepConfirm, done: confirmed, act: (*attempt).confirm},
	{name: v1alpha1.StepSoak, done: soaked, act: (*attempt).soak},
}

// undo cleans up after a deploy that failed or was cancelled.
var undo = []step{
	{name: v1alpha1.StepRestore, done: restored, act: (*attempt).restore},
	{name: v1alpha1.StepDiscard, done: discarded, act: (*attempt).discard},
}

// rollback returns to the version before the last switch. It is never undone,
// and never points at what it leaves.
var rollback = []step{
	{name: v1alpha1.StepSize, done: staged, act: (*attempt).size},
	{name: v1alpha1.StepWarm, done: warmed, act: (*attempt).warm},
	{name: v1alpha1.StepSwitch, done: switched, needs: []need{resized, warm}, act: (*attempt).switchTraffic},
	{name: v1alpha1.StepConfirm, done: confirmed, act: (*attempt).confirm},
}

// step is one row of a track.
type step struct {
	name v1alpha1.Step
	// done reports whether the step's milestone is recorded.
	done func(*v1alpha1.Release) bool
	// needs are looked at again right before the step acts, as long as traffic
	// has not moved: an intent that a crash left without its patch may be old.
	// One that no longer holds goes back to the step
	// that provides it.
	needs []need
	// after is what the step must wait for before it acts: a time, or that something
	// changes.
	after func(observed) pause
	// act looks, acts if it must, and records the milestone. It may run twice.
	act act
}

// need is a fact that must hold when a step acts, whatever was recorded.
type need struct {
	holds func(*v1alpha1.Release, observed) bool
	by    v1alpha1.Step
}

var (
	// unlocked comes first: what waits behind a lock need not be kept fresh.
	unlocked = need{mayMove, v1alpha1.StepPromote}

	running = need{runsStaged, v1alpha1.StepStage}
	sized   = need{bigEnough, v1alpha1.StepStage}
	resized = need{runsAtSize, v1alpha1.StepSize}
	warm    = need{isWarm, v1alpha1.StepWarm}
	fresh   = need{gateFresh, v1alpha1.StepVerify}
	asked   = need{gateAsked, v1alpha1.StepVerify}
	// vouched comes after the gate, which may take longer than it is fresh.
	vouched = need{vouchedLately, v1alpha1.StepWarm}
)

// next returns the step that a release is at: the first whose milestone is
// missing, or the one that must be repeated because the missing one needs it.
// ok is false when the track has ended. It is pure: no context, clock, log or
// I/O; the time is part of what was observed.
func next(r *v1alpha1.Release, o observed) (s step, ok bool) {
	steps := table(r, o)
	for _, s := range steps {
		if s.done(r) {
			continue
		}
		for _, n := range s.needs {
			if !moved(r, o) && !n.holds(r, o) {
				i := slices.IndexFunc(steps, func(s step) bool { return s.name == n.by })
				return steps[i], true
			}
		}
		return s, true
	}
	return step{}, false
}

// moved reports whether traffic is where the release brings it.
func moved(r *v1alpha1.Release, o observed) bool {
	return r.Status.Milestones.SwitchIntendedAt != nil && o.Routes.Live() == r.Status.Milestones.Target
}

// table returns the table that a release follows.
func table(r *v1alpha1.Release, o observed) []step {
	f := r.Status.Failure
	switch {
	case f == nil && r.Spec.Kind == v1alpha1.Rollback:
		return rollback
	case f == nil:
		return deploy
	case leaveAlone(r, o):
		return nil
	}
	return undo
}

// leaveAlone reports whether a failed release changes nothing any more: a
// rollback is never undone; someone else's change is respected; after the switch
// the world's trouble is no reason to move traffic again, and a release that a
// rollback took the place of leaves the moving to that rollback.
func leaveAlone(r *v1alpha1.Release, o observed) bool {
	switch r.Status.Failure.Class {
	case v1alpha1.FaultInterference:
		return true
	case v1alpha1.FaultWorld, v1alpha1.FaultSuperseded:
		return r.Spec.Kind == v1alpha1.Rollback || !neverMoved(r, o)
	case v1alpha1.FaultRelease, v1alpha1.FaultCancelled:
	}
	return r.Spec.Kind == v1alpha1.Rollback
}

// neverMoved reports whether no user was ever sent to the target. An intent to
// switch alone says nothing: its patch may have been made or not. If users are
// where they were, it was not.
func neverMoved(r *v1alpha1.Release, o observed) bool {
	m := r.Status.Milestones
	return m.SwitchIntendedAt == nil || m.SwitchedAt == nil && o.Routes.Live() == m.Target.Other()
}

// Milestones.

func built(r *v1alpha1.Release) bool     { return r.Status.Milestones.Built != nil }
func attached(r *v1alpha1.Release) bool  { return r.Status.Milestones.AttachedAt != nil }
func staged(r *v1alpha1.Release) bool    { return r.Status.Milestones.Staged != nil }
func warmed(r *v1alpha1.Release) bool    { return r.Status.Milestones.WarmedAt != nil }
func verified(r *v1alpha1.Release) bool  { return r.Status.Milestones.Verified != nil }
func approved(r *v1alpha1.Release) bool  { return r.Status.Milestones.Approved != nil }
func switched(r *v1alpha1.Release) bool  { return r.Status.Milestones.SwitchedAt != nil }
func confirmed(r *v1alpha1.Release) bool { return r.Status.Milestones.ConfirmedAt != nil }
func soaked(r *v1alpha1.Release) bool    { return r.Status.Milestones.SoakedAt != nil }

// restored holds, too, when traffic never began to move, and when it was decided
// that it stays.
func restored(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.RestoredAt != nil || m.SwitchIntendedAt == nil || m.KeptAt != nil
}

// discarded holds, too, when traffic had moved: the target then drains like any
// colour that users left, and the application's upkeep shrinks it. That a mere
// intent moved nobody is for restore to see; if it did, it records the switch.
func discarded(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.DiscardedAt != nil || m.SwitchedAt != nil || m.KeptAt != nil || m.Target == "" && r.Status.Build == nil
}

// Facts looked at again.

// mayMove: nobody has locked the application. A lock that comes after the intent
// comes too late.
func mayMove(r *v1alpha1.Release, o observed) bool {
	return !o.Locked || r.Status.Milestones.SwitchIntendedAt != nil
}

// runsStaged: the target still runs, completely, what was staged.
func runsStaged(r *v1alpha1.Release, o observed) bool {
	s, t := r.Status.Milestones.Staged, o.Target
	return s != nil && t.RolledOut && t.Image == s.Image && t.TemplateHash == s.TemplateHash
}

// bigEnough: the target has the size that the live colour has by now.
func bigEnough(_ *v1alpha1.Release, o observed) bool { return o.Target.Replicas >= o.Size }

// runsAtSize is both, for a rollback.
func runsAtSize(r *v1alpha1.Release, o observed) bool { return runsStaged(r, o) && bigEnough(r, o) }

// isWarm: the load balancer finds every pod of the target healthy, or where it does
// not tell, requests to the target's Service reach every pod of it.
func isWarm(r *v1alpha1.Release, o observed) bool { return look(r, o).Judge().Warm }

// vouchedLately: the load balancer told so not long ago. Hours may have passed since,
// until a person approved.
func vouchedLately(r *v1alpha1.Release, o observed) bool { return lookAnew(r, o).Judge().Warm }

// gateFresh: the gate passed with this very image and template, on every pod
// that there is now, not long ago.
func gateFresh(r *v1alpha1.Release, o observed) bool {
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

// gateAsked: nobody had to be waited for since the gate passed.
func gateAsked(r *v1alpha1.Release, _ observed) bool {
	v := r.Status.Milestones.Verified
	return v != nil && !v.AskAgain
}

// untouchable is the wait as long as the target must be left alone, because front
// ends may still send users to it since the last switch, or nobody knows that they
// do not.
func untouchable(o observed) pause {
	if o.Unconfirmed != "" {
		return pause{
			message: "waits until the load balancer takes up the last switch: " + o.Unconfirmed,
			waits:   &v1alpha1.Waiting{For: v1alpha1.WaitsForTakeUp, Detail: o.Unconfirmed},
		}
	}
	if o.Now.Before(o.DrainedAt) {
		return pause{
			until: o.DrainedAt, message: "waits until the last switch has drained, " + clock(o.DrainedAt),
			waits: waitsUntil(v1alpha1.WaitsForDrain, "", o.DrainedAt),
		}
	}
	return pause{}
}

// interference reports what someone else changed under a release: its routes, or
// what it staged. Humans win: the release stops and changes nothing. It is pure.
func interference(r *v1alpha1.Release, o observed) (message string, found bool) {
	m := r.Status.Milestones
	if m.Target == "" || r.Status.Failure != nil {
		return "", false
	}
	live := o.Routes.Live()
	switch {
	case !o.Routes.Exists:
		return "ingress " + o.Routes.Name + " is gone", true
	case live == "":
		return "ingress " + o.Routes.Name + " no longer routes users to one colour alone", true
	case m.SwitchIntendedAt == nil && live == m.Target:
		return "ingress " + o.Routes.Name + " was switched to " + string(m.Target) + " by someone else before this release did", true
	case m.SwitchedAt != nil && live != m.Target:
		return "ingress " + o.Routes.Name + " was switched away from " + string(m.Target) + " by someone else", true
	}
	if s := m.Staged; s != nil && !moved(r, o) && m.SwitchedAt == nil && o.Target.TemplateHash != "" &&
		(o.Target.TemplateHash != s.TemplateHash || o.Target.Image != s.Image) {
		return "deployment " + o.Target.Deployment + " was changed by someone else: it is to run " + o.Target.Image + ", this release staged " +
			s.Image, true
	}
	return "", false
}
