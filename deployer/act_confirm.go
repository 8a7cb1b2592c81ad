package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
)

// confirmAct waits until the switch took effect.
type confirmAct struct {
	measuring measuring
	urging    urging
	urlMap    urlMap

	configuration configuration

	routes newsReader
	takeUp time.Duration // time for a load balancer that does not report; 0: the default
}

// do waits until the switch has taken effect, and then measures the public address for some time.
// It reports whatever was not observed. The prober's own trouble never moves traffic.
func (act confirmAct) do(ctx context.Context, a *attempt) (pause, error) {
	m := act.measuring.measured(a)
	l, seen := act.lookAtSwitch(ctx, a, m)
	v := l.Judge()
	if v.Outcome == track.ConfirmAgain && v.Sign == "" && l.Effect.IsZero() && l.Unsynced() != "" {
		act.urging.urge(ctx, a.work, l.News, l.SwitchedAt) // it backs off, and owes users this switch
	}
	if v.Sign != "" {
		now := metav1.NewMicroTime(a.o.Now)
		r := a.route()
		r.TookEffectAt, r.TookEffectBy = &now, v.Sign
		if m != nil && l.Rollback {
			m.Forgive()
			seen = m.Read()
		}
	}
	if v.Finding != "" {
		a.finding(v.Finding)
	}
	switch v.Outcome {
	case track.ConfirmAgain:
		if m != nil && (v.Sign != "" || a.o.Now.Sub(m.checkpointAt) >= checkpointEvery) {
			act.measuring.checkpoint(a, m)
		}
		return pause{until: v.At, message: v.Message, waits: v.Waits}, nil
	case track.ConfirmFails:
		act.measuring.proved(a, m, seen.As(v1alpha1.ProofFailed))
		return pause{}, releaseFault(v1alpha1.FailedPublicAddress, "%s fails since the switch: %s", a.bg.Spec.URL, v.Message)
	case track.ConfirmUntranslatable:
		act.measuring.unproved(a)
		return pause{}, releaseFault(v1alpha1.FailedTranslate, "the load balancer's controller cannot take up %s: %s", a.o.Routes,
			v.Message)
	case track.ConfirmStuck:
		act.measuring.unproved(a)
		limit := a.bg.Spec.Deadlines.Confirm.Duration
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedNotTakenUp, about: about{limit: limit}, message: fmt.Sprintf(
			"%s, after %s (spec.deadlines.confirm); %s still routes users to %s: see its %s, and type /rollback to go back",
			v.Message, limit, a.o.Routes, a.target(), a.o.Routes.Tells())}
	case track.ConfirmDone:
	}
	act.confirmed(ctx, a, m, seen)
	return pause{}, nil
}

// confirmed records that the switch took effect, and what was seen from outside.
func (act confirmAct) confirmed(ctx context.Context, a *attempt, m *measurement, seen proof.Reading) {
	p := &v1alpha1.ProofStatus{Result: v1alpha1.ProofNotObserved, Message: "the public address was not asked: spec.url is not set"}
	if m != nil {
		p = seen.As(seen.Result())
	}
	act.measuring.proved(a, m, p)
	switch {
	case p.Result == v1alpha1.ProofFailed:
		why := "too few of them to move traffic back"
		if a.rel.Spec.Kind == v1alpha1.Rollback {
			why = "and a rollback moves traffic no further"
		}
		since := "since the switch"
		if p.NewFailures == 0 {
			since = "while users were divided"
		}
		a.finding(fmt.Sprintf("requests to %s failed %s, %s", a.bg.Spec.URL, since, why))
	case m != nil && p.Result != v1alpha1.ProofConfirmed && p.Result != v1alpha1.ProofInterrupted:
		a.finding("the switch was not observed from outside: " + seen.Trouble)
	}
	if a.rel.Spec.Kind == v1alpha1.Rollback {
		act.configuration.tellBack(ctx, a)
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.ConfirmedAt = &now
	a.say(fmt.Sprintf("%s: %s", p.Result, p.Message))
	a.entry().Proof = p.Result
}

// lookAtSwitch collects everything that shows whether the switch took effect.
func (act confirmAct) lookAtSwitch(ctx context.Context, a *attempt, m *measurement) (l track.SwitchLook, seen proof.Reading) {
	r := a.route()
	l = track.SwitchLook{
		Now: a.o.Now, SwitchedAt: a.switchTime(), Deadline: a.entry().StartedAt.Add(a.bg.Spec.Deadlines.Confirm.Duration),
		Rollback: a.rel.Spec.Kind == v1alpha1.Rollback, GCE: a.o.OnGCE(),
		Unsettled: r.Unsettled, Wait: act.takeUp, Tail: a.bg.Spec.Proof.TailTime(),
	}
	if a.o.Routes.Gateway != nil {
		l.Gateway, l.Parents = true, a.o.Routes.Word(r.Parents)
	}
	if l.Wait == 0 {
		l.Wait = takeUp
		if l.GCE || l.Gateway {
			l.Wait = takeUpGCE
		}
	}
	if r.TookEffectAt != nil {
		l.Effect = r.TookEffectAt.Time
	}
	if l.GCE && r.EventsBefore != "" {
		var err error
		if l.News, err = act.routes.News(ctx, a.bg, r.EventsBefore); err != nil {
			// The other signs are still there, and so is the deadline.
			a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
		}
	}
	if last := a.bg.Status.LastSwitch; l.GCE && last != nil && last.UID == string(a.rel.UID) && l.Effect.IsZero() {
		l.Read = act.urlMap.readMap(ctx, a.work, last, l.News.URLMapUpdated)
	}
	if m != nil {
		seen = m.Read()
		l.URL, l.Resumed = a.bg.Spec.URL, m.resumedAt
		l.Seen = track.Answered{Breach: seen.Breach, NewInARow: seen.NewInARow, LastOld: seen.LastOld}
		l.ToldApart = seen.ToldApart && !act.notedOneImage(a) &&
			(seen.NewInARow > 0 || !act.measuring.sameVersion(ctx, a, m, seen.Status.Baseline))
	}
	return l, seen
}

// notedOneImage is [oneImage], and records it.
func (act confirmAct) notedOneImage(a *attempt) bool {
	if !oneImage(a) {
		return false
	}
	a.finding(fmt.Sprintf("both colours run %s: the answers of %s do not distinguish the two versions, so they do not show when "+
		"users reached it", a.rel.Status.Milestones.Staged.Image, a.bg.Spec.URL))
	return true
}
