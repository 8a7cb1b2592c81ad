package deployer

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// shiftAct gives the target a growing share of the users.
type shiftAct struct {
	shifting  shifting
	cohorts   cohorts
	measuring measuring
	preparing preparing
	judging   judging
	live      livePods
	workloads interface {
		evidenceReader
		raiser
		scaler
	}
	routes translator
}

// do takes the steps of the canary one after the other. Each weight is recorded before it
// is patched, and the next one waits until it is in effect and had its time. From the first
// one on the pods of the target are watched as in a soak.
func (act shiftAct) do(ctx context.Context, a *attempt) (pause, error) {
	var small error
	if a.rel.LastWeight() == nil {
		if p, err := act.prepare(ctx, a); err != nil || p.rests() {
			return p, err
		}
	} else {
		if err := cmp.Or(act.keepWatch(ctx, a), act.measuring.judgeDivided(a)); err != nil {
			return pause{}, err
		}
		small = act.grow(ctx, a)
	}
	for range 2 * (len(a.o.Canary) + 1) { // more than a look ever needs
		if a.rel.LastWeight() != nil {
			if err := act.cohorts.lead(ctx, a); err != nil {
				return pause{}, err
			}
		}
		act.stopClock(a)
		l := act.shifting.look(a)
		l.Deadline, l.Patience = a.bg.Spec.Deadlines.Confirm.Duration, a.bg.Spec.Promotion.Timeout.Duration
		l.Promoted, l.PromotedAt = a.rel.Spec.Promoted(), promotedAt(a.rel)
		if l.Last != nil {
			l.Blocked = act.blocked(a)
		}
		metrics, err := act.judging.judgeStep(ctx, a, l)
		if err != nil {
			return pause{}, err
		}
		if metrics.rests() {
			l.Unjudged = &track.Wait{Until: metrics.until, Message: metrics.message, Waits: metrics.waits}
		}
		p, goesOn, err := act.follow(ctx, a, tooSmall(l.Judge(), small))
		if err != nil || !goesOn {
			return p, err
		}
	}
	return pause{until: a.o.Now, message: "dividing users", waits: waitsForRoutes(a, v1alpha1.BecauseWeight)}, nil
}

// follow does what a verdict says. It reports whether the same look goes on.
func (act shiftAct) follow(ctx context.Context, a *attempt, v track.ShiftVerdict) (p pause, goesOn bool, err error) {
	switch v.Outcome {
	case track.ShiftAgain:
		return act.rest(a, v), false, nil
	case track.ShiftRaise:
		if p, err := act.preparing.stamp(ctx, a, a.o.Target)(); err != nil || p.rests() {
			return p, false, err
		}
		if err := act.shifting.intend(ctx, a, v.Weight); err != nil {
			return pause{}, false, err
		}
		return act.patch(ctx, a)
	case track.ShiftPatch:
		return act.patch(ctx, a)
	case track.ShiftSeen:
		return pause{}, true, act.shifting.seen(ctx, a)
	case track.ShiftEffect:
		act.shifting.tookEffect(a, v.Sign)
		return pause{}, true, nil
	case track.ShiftRefused:
		return pause{}, false, releaseFault(v1alpha1.FailedTranslate, "a Gateway cannot use the weights of %s: %s", a.o.Routes, v.Message)
	case track.ShiftStuck:
		limit := a.bg.Spec.Deadlines.Confirm.Duration
		return pause{}, false, &fault{
			class: v1alpha1.FaultWorld, reason: v1alpha1.FailedWeight, about: about{limit: limit},
			message: fmt.Sprintf("%s, after %s (spec.deadlines.confirm)", v.Message, limit),
		}
	case track.ShiftUnwanted:
		limit := a.bg.Spec.Promotion.Timeout.Duration
		return pause{}, false, &fault{
			class: v1alpha1.FaultCancelled, reason: v1alpha1.FailedNotApproved, about: about{limit: limit},
			message: fmt.Sprintf("nobody promoted it from %d %% of the users within %s (spec.promotion.timeout)", a.rel.LastWeight().Weight, limit),
		}
	case track.ShiftDone:
	}
	if p, err := act.endCohort(ctx, a); err != nil || p.rests() {
		return p, false, err
	}
	if m := &a.rel.Status.Milestones; m.ShiftedAt == nil {
		now := metav1.NewTime(a.o.Now)
		m.ShiftedAt = &now
	}
	return pause{}, false, nil
}

// endCohort takes the testers' header out before the switch, and waits until every Gateway has
// taken that up, or until that takes too long. So no later step, and no way back from the switch,
// has to mind it.
func (act shiftAct) endCohort(ctx context.Context, a *attempt) (pause, error) {
	if err := act.cohorts.end(ctx, a); err != nil {
		return pause{}, err
	}
	cohort := a.rel.Status.Shift.Cohort
	if cohort == nil || cohort.LeftAt != nil {
		return pause{}, nil
	}
	word := a.o.Routes.WordOnCohort(a.rel)
	if word.InEffect || word.Silent && a.o.Now.Sub(cohort.EndedAt.Time) >= act.shifting.patience() {
		return pause{}, nil
	}
	waits := track.WaitsFor(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseWeight)
	waits.Done, waits.Of, waits.Detail = a.rel.LastWeight().Weight, v1alpha1.Everybody, word.Text
	return pause{
		until: a.o.Now.Add(time.Second), message: "waits until every Gateway has taken the testers' header out: " + word.Text, waits: waits,
	}, nil
}

func (act shiftAct) patch(ctx context.Context, a *attempt) (pause, bool, error) {
	done, err := act.shifting.give(ctx, a)
	if err != nil || !done {
		return act.shifting.patchAgain(a, v1alpha1.BecauseWeight), false, err
	}
	return pause{}, true, nil
}

// rest waits for a weight to take effect or to have had its time, and looks at the pods
// meanwhile.
func (act shiftAct) rest(a *attempt, v track.ShiftVerdict) pause {
	until := watchOf(a).NextAt(*a.rel.Status.Shift.Watch)
	if until.Before(a.o.Now) {
		until = a.o.Now.Add(a.bg.Spec.Gate.Interval.Duration)
	}
	if !v.At.IsZero() && v.At.Before(until) {
		until = v.At
	}
	waits := v.Waits
	a.rel.Status.Phase = v1alpha1.ReleaseRunning
	if waits.For == v1alpha1.WaitsForApproval {
		a.rel.Status.Phase = v1alpha1.ReleaseWaiting
	}
	if waits.For == v1alpha1.WaitsForLock && a.bg.Status.Lock != nil {
		return pause{until: until, message: unlocking(a.bg.Status.Lock).message, waits: track.WaitsForUnlock(a.bg.Status.Lock)}
	}
	return pause{until: until, message: v.Message, waits: waits}
}

// promotedAt is when somebody first let the target have more than it has.
func promotedAt(rel *v1alpha1.Release) time.Time {
	var first time.Time
	for _, p := range rel.Spec.Promotions {
		if last := rel.LastWeight(); last != nil && p.Weight > last.Weight && (first.IsZero() || p.At.Time.Before(first)) {
			first = p.At.Time
		}
	}
	return first
}

// blocked is why the share may not grow; nil if it may.
func (act shiftAct) blocked(a *attempt) *v1alpha1.Waiting {
	if why := track.CannotRaise(a.rel, a.o); why != nil {
		return why
	}
	if s := track.Stranded(a.bg, a.o.Previous); s != nil {
		return &v1alpha1.Waiting{For: v1alpha1.WaitsForShift, Because: v1alpha1.BecauseNeed, Detail: s.Text}
	}
	return nil
}

// stopClock stops the time of a step behind a lock.
func (act shiftAct) stopClock(a *attempt) {
	last, now := a.rel.LastWeight(), metav1.NewMicroTime(a.o.Now)
	switch {
	case last == nil || last.EffectiveAt == nil:
	case a.o.Locked && last.LockedSince == nil:
		last.LockedSince = &now
	case !a.o.Locked && last.LockedSince != nil:
		locked := now.Sub(last.LockedSince.Time)
		if last.Locked != nil {
			locked += last.Locked.Duration
		}
		last.LockedSince, last.Locked = nil, &metav1.Duration{Duration: locked}
	}
}

// prepare is what comes before the first weight: a baseline of the public address, which
// only the previous version answers so far, and a previous colour that keeps its size.
func (act shiftAct) prepare(ctx context.Context, a *attempt) (pause, error) {
	measured := act.measuring.measured(a)
	if full := act.measuring.baseline(a, measured); !full.IsZero() {
		return waitsForBaseline(a, measured, full), nil
	}
	if err := act.routes.CheckTranslation(ctx, a.bg, a.o.Routes, a.target()); err != nil {
		return pause{}, refusedRoute(err)
	}
	if err := act.workloads.RaiseMinimum(ctx, a.bg, a.o.Previous, a.o.Previous.Replicas); err != nil {
		return pause{}, err
	}
	if measured != nil {
		act.measuring.checkpoint(a, measured) // with the first intent
	}
	return pause{}, nil
}

// watchOf is how the target is watched while it has a share: for as long as that takes.
func watchOf(a *attempt) track.SoakWatch {
	const ever = time.Duration(math.MaxInt64)
	return track.SoakWatch{
		Began: a.rel.Status.Shift.Weights[0].IntendedAt.Time, Length: ever, Interval: a.bg.Spec.Gate.Interval.Duration,
	}
}

// keepWatch looks at the target's pods, which have users.
func (act shiftAct) keepWatch(ctx context.Context, a *attempt) error {
	shift, watch := a.rel.Status.Shift, watchOf(a)
	if a.o.Now.Before(watch.NextAt(*shift.Watch)) {
		return nil
	}
	books, verdict := watch.Step(*shift.Watch, act.live.look(ctx, a))
	shift.Watch = &books
	a.o.Holds = track.Holds(books, a.o.Now, a.bg.Spec.Gate.Freshness.Duration)
	return watchFault(ctx, a, act.workloads, verdict)
}

// grow keeps both colours at the largest size that the previous one had: going back must not
// overload it. Without that size the share does not grow, and each look tries again. But an error
// must end no look before the pods, the public address and the metrics had their say: users are
// there.
func (act shiftAct) grow(ctx context.Context, a *attempt) error {
	shift := a.rel.Status.Shift
	shift.Replicas = max(shift.Replicas, a.o.Previous.Replicas)
	if a.o.Target.Replicas >= a.o.Size {
		return nil
	}
	err := act.workloads.Scale(ctx, a.bg, a.target(), a.o.Size)
	if err != nil {
		a.log.WarnContext(ctx, "the target will be scaled again", "deployment", a.o.Target.Deployment, "size", a.o.Size, "error", err)
	}
	return err
}

// tooSmall adds to what a step waits for why the target does not get the size that users need.
func tooSmall(v track.ShiftVerdict, why error) track.ShiftVerdict {
	if why == nil || v.Outcome != track.ShiftAgain || v.Waits.For != v1alpha1.WaitsForShift || v.Waits.Because == v1alpha1.BecauseMetrics {
		return v
	}
	waits := *v.Waits
	waits.Because, waits.Detail = v1alpha1.BecauseNeed, strings.TrimPrefix(waits.Detail+": "+why.Error(), ": ")
	v.Waits, v.Message = &waits, v.Message+": "+why.Error()
	return v
}
