package track

import (
	"fmt"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// whole is the sum of the two colours' weights.
const whole = v1alpha1.Everybody

// canary reports whether a release brings users to its target in steps.
func canary(r *v1alpha1.Release, o Observed) bool {
	return r.Spec.Kind == v1alpha1.Deploy && (len(o.Canary) > 0 || r.LastWeight() != nil)
}

// Divides reports whether a release may have sent a share of the users to its target, and
// has not switched all of them since.
func Divides(r *v1alpha1.Release, _ Observed) bool { return r.Divides() }

// DuringRelease are the routes as a release means them: while it divides users, or brings
// them together again, the colour that they leave counts as live.
func (s Routes) DuringRelease(r *v1alpha1.Release) Routes {
	s.DividedFrom = ""
	if r != nil && s.Gateway != nil && (Divides(r, Observed{}) || Unites(r)) {
		s.DividedFrom = r.Status.Milestones.Target.Other()
	}
	return s
}

// Share is the part of 100 of a colour, if every rule gives it the same one.
func (s Routes) Share(c v1alpha1.Color) (share int32, known bool) {
	if s.Gateway == nil || len(s.Gateway.Rules) == 0 {
		return 0, false
	}
	for i, r := range s.Gateway.Rules {
		one, ok := r.share(c)
		if !ok || i > 0 && one != share {
			return 0, false
		}
		share = one
	}
	return share, true
}

func (r Rule) share(c v1alpha1.Color) (int32, bool) {
	ours, theirs := r.Refs[c].Weight, r.Refs[c.Other()].Weight
	switch {
	case ours == 0 && theirs > 0:
		return 0, true
	case ours > 0 && theirs == 0:
		return whole, true
	case ours+theirs == whole:
		return int32(ours), true
	}
	return 0, false
}

// foreignShare reports whether the target has a weight that the release neither intended
// last nor saw accepted last.
func foreignShare(r *v1alpha1.Release, o Observed) bool {
	if !Divides(r, o) {
		return false
	}
	share, known := o.Routes.Share(r.Status.Milestones.Target)
	return !known || !slices.Contains(ownShares(r), share)
}

// ownShares are the weights that a release's patches may have left: the one intended last
// and, until that is seen, the one before.
func ownShares(r *v1alpha1.Release) []int32 {
	var all []int32
	if r.Status.Milestones.SwitchIntendedAt != nil {
		all = append(all, whole)
	}
	for _, w := range slices.Backward(r.Status.Shift.Weights) {
		all = append(all, w.Weight)
		if w.Generation != 0 {
			return all
		}
	}
	return append(all, 0)
}

// Ours reports whether the weights of the routes are such that the release's own patches
// left, however late they arrived.
func Ours(r *v1alpha1.Release, o Observed) bool {
	share, known := o.Routes.Share(r.Status.Milestones.Target)
	if !known {
		return false
	}
	if share == 0 || share == whole && r.Status.Milestones.SwitchIntendedAt != nil {
		return true
	}
	return slices.ContainsFunc(r.Status.Shift.Weights, func(w v1alpha1.ShiftedWeight) bool { return w.Weight == share })
}

// mayRaise reports whether the target may have a larger share than it has.
func mayRaise(r *v1alpha1.Release, o Observed) bool { return CannotRaise(r, o) == nil }

// CannotRaise is why the target may not have a larger share than it has; nil if it may.
// None of it takes away the share that it has, nor stages its pods anew.
func CannotRaise(r *v1alpha1.Release, o Observed) *v1alpha1.Waiting {
	lacks := func(format string, args ...any) *v1alpha1.Waiting {
		return &v1alpha1.Waiting{For: v1alpha1.WaitsForShift, Because: v1alpha1.BecauseNeed, Detail: fmt.Sprintf(format, args...)}
	}
	switch t := o.Target; {
	case o.Locked && r.Status.Milestones.SwitchIntendedAt == nil:
		return WaitsFor(v1alpha1.WaitsForLock, "")
	case o.Routes.Refused() != "":
		return lacks("%s: %s", o.Routes, o.Routes.Refused())
	case !runsStaged(r, o):
		return lacks("not every pod of deployment %s runs what was staged: %s", t.Deployment, t.Progress)
	case !bigEnough(r, o):
		return lacks("deployment %s has the size %d, and the users need %d", t.Deployment, t.Replicas, o.Size)
	case r.Status.Live != nil && r.Status.Live.FailingSince != nil:
		return lacks("deployment %s, which the other users have, fails since %s, after the migration", o.Previous.Deployment,
			Clock(r.Status.Live.FailingSince.Time))
	case !o.Holds:
		return lacks("the pods of deployment %s were not found well when they were watched last", t.Deployment)
	}
	settle := o.Settle
	if settle == 0 {
		settle = v1alpha1.DefaultSettle
	}
	for _, pod := range o.Target.Pods {
		switch {
		case pod.Terminating:
		case !slices.Contains(o.Endpoints, pod.Name):
			return lacks("pod %s is not a ready endpoint of service %s", pod.Name, o.Target.Service)
		case o.Now.Before(pod.ReadySince.Add(settle)):
			return lacks("pod %s is ready only since %s, and load balancers are given %s to find it healthy", pod.Name,
				Clock(pod.ReadySince), settle)
		}
	}
	return nil
}

// ShiftLook is one look at a release that divides users.
type ShiftLook struct {
	Now   time.Time
	Steps []v1alpha1.CanaryStep
	// Last is the weight that was intended last; nil before the first.
	Last *v1alpha1.ShiftedWeight
	// Share of the target; Known if every rule gives it the same.
	Share int32
	Known bool
	// Parents are what the Gateways report about the generation of the last weight.
	Parents ParentsWord
	// Deadline of each weight to take effect; 0: it has none. Wait is the time after which
	// it counts as in effect where Gateways do not tell.
	Deadline, Wait time.Duration
	// Promoted is the largest weight that people let the target have without waiting. Patience
	// is how long a step waits for them that does not end by itself.
	Promoted int32
	Patience time.Duration
	// PromotedAt is when people let the target have more than it has; zero if they did not.
	PromotedAt time.Time
	// Unjudged is the wait for the metrics of the step; nil if they have passed.
	Unjudged *Wait
	// Confirmed: a person says that users reach the colour that they had before.
	Confirmed bool
	// Blocked is why the share may not grow; nil if it may.
	Blocked *v1alpha1.Waiting
}

// ShiftOutcome is what follows from a look at a release that divides users.
type ShiftOutcome int

// What follows from a look at a release that divides users.
const (
	ShiftAgain    ShiftOutcome = iota + 1 // look again, at ShiftVerdict.At if that is set
	ShiftPatch                            // give the target its last weight
	ShiftSeen                             // the last weight is written
	ShiftEffect                           // the last weight is in effect, by ShiftVerdict.Sign
	ShiftRaise                            // give the target ShiftVerdict.Weight
	ShiftDone                             // every step was taken
	ShiftRefused                          // a Gateway cannot use the weights
	ShiftStuck                            // the last weight is not in effect, and time is up
	ShiftUnwanted                         // nobody promoted it, and time is up
)

// ShiftVerdict is what follows from a look at a release that divides users.
type ShiftVerdict struct {
	Outcome ShiftOutcome
	At      time.Time
	Weight  int32
	Sign    v1alpha1.Sign
	Message string
	Waits   *v1alpha1.Waiting
}

// Judge draws the conclusion from a look. Nothing is raised before the weight before is in
// effect and had its time.
func (l ShiftLook) Judge() ShiftVerdict {
	switch {
	case l.Last == nil:
		return ShiftVerdict{Outcome: ShiftRaise, Weight: l.Steps[0].Weight}
	case l.Last.Generation == 0 && l.Known && l.Share == l.Last.Weight:
		return ShiftVerdict{Outcome: ShiftSeen}
	case l.Last.EffectiveAt == nil:
		return l.judgeEffect()
	}
	return l.judgeStep()
}

// judgeStep judges a weight that is in effect.
func (l ShiftLook) judgeStep() ShiftVerdict {
	i := slices.IndexFunc(l.Steps, func(s v1alpha1.CanaryStep) bool { return s.Weight == l.Last.Weight })
	if i < 0 {
		return ShiftVerdict{Outcome: ShiftDone}
	}
	promoted := l.promoted()
	end, waits := l.ends(l.Steps[i])
	over := promoted > 0 || !l.Now.Before(end) && l.Steps[i].Until == ""
	switch {
	case l.Blocked != nil && (l.Last.LockedSince != nil || over):
		return l.again(time.Time{}, l.Blocked)
	case over && l.Unjudged != nil:
		return ShiftVerdict{Outcome: ShiftAgain, At: l.Unjudged.Until, Message: l.Unjudged.Message, Waits: l.Unjudged.Waits}
	case promoted > 0:
		return raise(promoted)
	case l.Now.Before(end):
		waits.Until, waits.Done, waits.Of = Stamp(end), l.Last.Weight, whole
		return l.again(end, waits)
	case l.Steps[i].Until == v1alpha1.UntilPromote:
		return ShiftVerdict{Outcome: ShiftUnwanted}
	}
	return raise(l.next())
}

// promoted is the weight that people let the target have now: that of a later step, or all
// users, which is the switch's. It is 0 if there is none.
func (l ShiftLook) promoted() int32 {
	if l.Promoted >= whole {
		return whole
	}
	var to int32
	for _, s := range l.Steps {
		if s.Weight > l.Last.Weight && s.Weight <= l.Promoted {
			to = s.Weight
		}
	}
	return to
}

// next is the weight of the step that follows, or all users.
func (l ShiftLook) next() int32 {
	for _, s := range l.Steps {
		if s.Weight > l.Last.Weight {
			return s.Weight
		}
	}
	return whole
}

// raise gives the target a larger share. All users are the switch's.
func raise(to int32) ShiftVerdict {
	if to == whole {
		return ShiftVerdict{Outcome: ShiftDone}
	}
	return ShiftVerdict{Outcome: ShiftRaise, Weight: to}
}

// judgeEffect judges a weight that is not in effect yet.
func (l ShiftLook) judgeEffect() ShiftVerdict {
	since := l.Last.IntendedAt.Time
	over := l.Deadline > 0 && !l.Now.Before(since.Add(l.Deadline))
	effect := func(by v1alpha1.Sign) ShiftVerdict { return ShiftVerdict{Outcome: ShiftEffect, Sign: by} }
	seen := l.Last.Generation != 0
	switch {
	case seen && l.Parents.InEffect:
		return effect(v1alpha1.SignRouteStatus)
	case seen && l.Confirmed:
		return effect(v1alpha1.SignPerson)
	case seen && l.Parents.Silent && !l.Now.Before(since.Add(l.Wait)):
		return effect(v1alpha1.SignWait)
	case seen && l.Parents.Refused && l.Last.Weight > 0:
		return ShiftVerdict{Outcome: ShiftRefused, Message: l.Parents.Text}
	case over && seen:
		return ShiftVerdict{Outcome: ShiftStuck, Message: "not every Gateway has taken up the HTTPRoute: " + l.Parents.Text}
	case over:
		return ShiftVerdict{Outcome: ShiftStuck, Message: "the HTTPRoute could not be patched"}
	case !seen:
		return ShiftVerdict{Outcome: ShiftPatch}
	}
	because := v1alpha1.BecauseWeight
	if l.Last.Weight == 0 {
		because = v1alpha1.BecauseWithdraw
	}
	w := WaitsFor(v1alpha1.WaitsForLoadBalancer, because)
	w.Done, w.Of, w.Detail = l.Last.Weight, whole, l.Parents.Text
	at := l.Now.Add(confirmPause)
	return l.again(at, w)
}

// again waits. The message is for the log and for versions that do not read facts.
func (l ShiftLook) again(at time.Time, w *v1alpha1.Waiting) ShiftVerdict {
	text := fmt.Sprintf("the new version has %d %% of the users", l.Last.Weight)
	if l.Last.EffectiveAt == nil {
		text = fmt.Sprintf("waits until every Gateway has taken up the weight %d", l.Last.Weight)
	}
	if w.For == v1alpha1.WaitsForApproval {
		text = "waits for /promote: " + text
	}
	if w.Until != nil {
		text += " until " + Clock(w.Until.Time)
	}
	if w.Detail != "" {
		text += ": " + w.Detail
	}
	return ShiftVerdict{Outcome: ShiftAgain, At: at, Message: text, Waits: w}
}
