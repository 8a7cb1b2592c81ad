package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
)

// confirmAct waits until the switch took effect.
type confirmAct struct{ *attempt }

// confirm waits until the switch has taken effect and the public address has been measured for
// some time after that. Whatever was not observed is reported as such; the prober's own
// trouble never moves traffic.
func (a confirmAct) confirm(ctx context.Context) (pause, error) {
	m := measuring{a.attempt}.measured()
	l, seen := a.lookAtSwitch(ctx, m)
	v := l.Judge()
	if v.Outcome == track.ConfirmAgain && v.Sign == "" && l.Effect.IsZero() && l.Unsynced() != "" {
		urging{a.work}.urge(ctx, l.News, l.SwitchedAt) // it backs off, and owes users this switch
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
			measuring{a.attempt}.checkpoint(m)
		}
		return pause{until: v.At, message: v.Message, waits: v.Waits}, nil
	case track.ConfirmFails:
		measuring{a.attempt}.proved(m, seen.As(v1alpha1.ProofFailed))
		return pause{}, releaseFault(v1alpha1.FailedPublicAddress, "%s fails since the switch: %s", a.bg.Spec.URL, v.Message)
	case track.ConfirmUntranslatable:
		measuring{a.attempt}.unproved()
		return pause{}, releaseFault(v1alpha1.FailedTranslate, "the load balancer's controller cannot take up ingress %s: %s", a.o.Routes.Name,
			v.Message)
	case track.ConfirmStuck:
		measuring{a.attempt}.unproved()
		limit := a.bg.Spec.Deadlines.Confirm.Duration
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedNotTakenUp, about: about{limit: limit}, message: fmt.Sprintf(
			"%s, after %s (spec.deadlines.confirm); the Ingress %s routes users to %s and stays so: see its events, and type /rollback to go back",
			v.Message, limit, a.o.Routes.Name, a.target())}
	case track.ConfirmDone:
	}
	p := &v1alpha1.ProofStatus{Result: v1alpha1.ProofNotObserved, Message: "the public address was not asked: spec.url is not set"}
	if m != nil {
		p = seen.As(seen.Result())
	}
	measuring{a.attempt}.proved(m, p)
	switch {
	case p.Result == v1alpha1.ProofFailed:
		why := "too few of them to move traffic back"
		if l.Rollback {
			why = "and a rollback moves traffic no further"
		}
		a.finding(fmt.Sprintf("requests to %s failed since the switch, %s", a.bg.Spec.URL, why))
	case m != nil && p.Result != v1alpha1.ProofConfirmed && p.Result != v1alpha1.ProofInterrupted:
		a.finding("the switch was not observed from outside: " + seen.Trouble)
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.ConfirmedAt = &now
	a.say(fmt.Sprintf("%s: %s", p.Result, p.Message))
	a.entry().Proof = p.Result
	return pause{}, nil
}

// lookAtSwitch collects everything that shows whether the switch took effect.
func (a confirmAct) lookAtSwitch(ctx context.Context, m *measurement) (l track.SwitchLook, seen proof.Reading) {
	r := a.route()
	l = track.SwitchLook{
		Now: a.o.Now, SwitchedAt: measuring{a.attempt}.switchTime(), Deadline: a.entry().StartedAt.Add(a.bg.Spec.Deadlines.Confirm.Duration),
		Rollback: a.rel.Spec.Kind == v1alpha1.Rollback, GCE: a.o.OnGCE(),
		Unsettled: r.Unsettled, Wait: a.d.TakeUp, Tail: a.bg.Spec.Proof.TailTime(),
	}
	if l.Wait == 0 {
		l.Wait = takeUp
		if l.GCE {
			l.Wait = takeUpGCE
		}
	}
	if r.TookEffectAt != nil {
		l.Effect = r.TookEffectAt.Time
	}
	if l.GCE && r.EventsBefore != "" {
		var err error
		if l.News, err = a.d.Routes.News(ctx, a.bg, r.EventsBefore); err != nil {
			// The other signs are still there, and so is the deadline.
			a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
		}
	}
	if last := a.bg.Status.LastSwitch; l.GCE && last != nil && last.UID == string(a.rel.UID) && l.Effect.IsZero() {
		l.Read = urlMap{a.work}.readMap(ctx, last, l.News.URLMapUpdated)
	}
	if m != nil {
		seen = m.Read()
		l.URL, l.Resumed = a.bg.Spec.URL, m.resumedAt
		l.Seen = track.Answered{Breach: seen.Breach, NewInARow: seen.NewInARow, LastOld: seen.LastOld}
		l.ToldApart = seen.ToldApart && !a.oneImage() && (seen.NewInARow > 0 || !measuring{a.attempt}.sameVersion(ctx, m, seen.Status.Baseline))
	}
	return l, seen
}

// oneImage reports whether both colours run the same image, and notes it: then nobody can tell
// from an answer which colour it came from.
func (a confirmAct) oneImage() bool {
	m := a.rel.Status.Milestones
	if m.Staged == nil || m.Previous == nil || m.Staged.Image != m.Previous.Image {
		return false
	}
	a.finding(fmt.Sprintf("both colours run %s: the answers of %s cannot tell the new version from the old one, so they do not say when "+
		"users reached it", m.Staged.Image, a.bg.Spec.URL))
	return true
}
