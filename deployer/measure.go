package deployer

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
)

// measuring measures a release around its switch.
type measuring struct{ attempt *attempt }

// measure starts, with a step, what measures the switch, and ends it when there is nothing left
// to measure. The baseline is taken during the steps before the switch, so that the switch need
// not wait for it.
func (a measuring) measure(s v1alpha1.Step) error {
	key := client.ObjectKeyFromObject(a.attempt.bg)
	m := a.attempt.d.probers.get(key, string(a.attempt.rel.UID))
	if a.attempt.bg.Spec.URL == "" || a.attempt.rel.Status.Failure != nil && a.attempt.saved.Failure != nil {
		a.attempt.d.probers.end(key)
		return nil
	}
	st := &a.attempt.rel.Status
	switch s {
	case v1alpha1.StepWarm, v1alpha1.StepVerify, v1alpha1.StepSize, v1alpha1.StepSwitch:
		if st.Milestones.SwitchIntendedAt != nil {
			break
		}
		length := a.attempt.bg.Spec.Proof.BaselineTime()
		if m != nil && (length == 0 || a.attempt.rel.Spec.Kind == v1alpha1.Rollback || !a.baselineOld(m)) {
			return nil
		}
		if m == nil {
			var err error
			if m, err = a.prober(nil); err != nil {
				return err
			}
		}
		if length > 0 {
			m.TakeBaseline(length)
		}
		return nil
	case v1alpha1.StepConfirm:
	default:
		// After a long step the release may come back to verify; a running baseline ends by
		// itself. The confirmation is durable first: a look that lost its write is repeated.
		if a.attempt.saved.Milestones.ConfirmedAt != nil {
			a.attempt.d.probers.end(key)
		}
		return nil
	}
	if m != nil {
		return nil
	}
	return a.resume()
}

// baselineOld reports whether the baseline is too old to show what failed before the switch.
func (a measuring) baselineOld(m *measurement) bool {
	full := m.FullAt()
	return full.IsZero() || a.attempt.o.Now.Sub(full) > a.attempt.o.Freshness
}

// resume continues a measurement that another process began, from its last checkpoint.
func (a measuring) resume() error {
	var tally *proof.Tally
	switched := a.switchTime()
	if p := a.attempt.rel.Status.Proof; p != nil {
		tally = proof.Resume(*p, switched)
	} else {
		tally = &proof.Tally{}
		if !switched.IsZero() {
			tally.Switch(switched)
		}
	}
	tally.Interrupt(a.attempt.o.Now)
	m, err := a.prober(tally)
	if err != nil {
		return err
	}
	m.resumedAt = a.attempt.o.Now
	m.AskOn()
	a.checkpoint(m)
	return nil
}

// switchTime is when traffic moved, as exactly as the record has it; zero if it did not.
func (a measuring) switchTime() time.Time {
	m := a.attempt.rel.Status.Milestones
	if m.SwitchedAt == nil {
		return time.Time{}
	}
	for _, e := range a.attempt.rel.Status.Timeline {
		if e.Step == v1alpha1.StepSwitch && e.FinishedAt != nil && e.FinishedAt.Sub(m.SwitchedAt.Time).Abs() < 2*time.Second {
			return e.FinishedAt.Time
		}
	}
	return m.SwitchedAt.Time
}

// sameVersion reports whether the target names the version that answered before the switch: not
// every commit changes an application's version. It asks a pod. A pod that cannot be asked, or
// names no version, shows nothing.
func (a measuring) sameVersion(ctx context.Context, m *measurement, before *v1alpha1.ProofBaseline) bool {
	if before == nil || len(a.attempt.o.Target.Ready()) == 0 {
		return false
	}
	if m.named == nil {
		named, err := a.attempt.d.named(ctx, a.attempt.bg, a.attempt.o.Target)
		if err != nil {
			a.attempt.log.DebugContext(ctx, "a pod could not be asked for its version", "error", err)
		}
		m.named = &named
	}
	if *m.named == "" || !slices.Contains(before.Versions, *m.named) {
		return false
	}
	a.attempt.finding(fmt.Sprintf("the answers' header %s (spec.proof.versionHeader) is %s as before the switch, so the new version could "+
		"not be "+
		"told from the old one", a.attempt.bg.Spec.Proof.VersionHeader, *m.named))
	return true
}

// prober starts a measurement, continuing a tally if there is one.
func (a measuring) prober(from *proof.Tally) (*measurement, error) {
	return a.attempt.d.probers.begin(client.ObjectKeyFromObject(a.attempt.bg), string(a.attempt.rel.UID), a.measuredBy(from))
}

// measuredBy says where to send requests, and how.
func (a measuring) measuredBy(from *proof.Tally) proof.Config {
	c := a.attempt.d.proofConfig(a.attempt.bg, a.attempt.o.Routes)
	c.From = from
	return c
}

// baseline is when the baseline allows the switch; zero if there is nothing to wait for. Users of
// a rollback do not wait for a baseline.
func (a measuring) baseline(m *measurement) time.Time {
	switch {
	case m == nil, a.attempt.rel.Spec.Kind == v1alpha1.Rollback, m.FullAt().IsZero():
		return time.Time{}
	case a.attempt.o.Now.Before(m.FullAt()):
		return m.FullAt()
	case !m.Asking() && !m.Settled(): // the last answers belong to it
		return a.attempt.o.Now.Add(settling)
	}
	return time.Time{}
}

// moving records, right before a patch, that it moves traffic. If another look or process made
// the switch and could not record that, the switch counts from its intent.
func (a measuring) moving(m *measurement) {
	switch {
	case m == nil:
	case a.attempt.o.Routes.Live() != a.attempt.target():
		m.Switch(time.Now())
	case !m.Read().Switched:
		m.Switch(a.attempt.rel.Status.Milestones.SwitchIntendedAt.Time)
	}
}

// measured returns the release's measurement; nil if nothing is measured.
func (a measuring) measured() *measurement {
	if a.attempt.bg.Spec.URL == "" {
		return nil
	}
	return a.attempt.d.probers.get(client.ObjectKeyFromObject(a.attempt.bg), string(a.attempt.rel.UID))
}

// checkpoint puts the counts so far into the record; the caller chooses when to write it.
func (a measuring) checkpoint(m *measurement) {
	m.checkpointAt = a.attempt.o.Now
	a.attempt.rel.Status.Proof = m.Read().As(v1alpha1.ProofMeasuring)
}

// unproved ends an unfinished measurement of a release that failed at something else.
func (a measuring) unproved() {
	st := &a.attempt.rel.Status
	if st.Proof == nil || st.Proof.Result != v1alpha1.ProofMeasuring {
		return
	}
	m := a.measured()
	switch {
	case st.Milestones.SwitchedAt == nil:
		st.Proof = nil // there was no switch
	case m != nil:
		m.Interrupt()
		r := m.Read()
		a.proved(m, r.As(r.Result()))
	default:
		now := metav1.NewMicroTime(a.attempt.o.Now)
		p := *st.Proof
		p.Result, p.InterruptedAt = v1alpha1.ProofInterrupted, &now
		p.P50, p.P99, p.Max = nil, nil, nil
		p.Message = proof.Sentence(p, "")
		st.Proof = &p
	}
}

// proved notes how the measurement ended.
func (a measuring) proved(m *measurement, p *v1alpha1.ProofStatus) {
	a.attempt.rel.Status.Proof = p
	if m == nil {
		return
	}
	m.Pause()
	if m.told || a.attempt.d.Observer == nil {
		return
	}
	m.told = true
	var after time.Duration
	if p.NewVersionAfter != nil {
		after = p.NewVersionAfter.Duration
	}
	a.attempt.d.Observer.Proved(client.ObjectKeyFromObject(a.attempt.bg), p.Result, after)
}
