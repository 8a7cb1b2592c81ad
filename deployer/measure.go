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
	"github.com/turnout-dev/turnout/deployer/track"
)

// measuring measures a release around its switch.
type measuring struct {
	probers  *probers
	address  publicAddress
	observer Observer
}

// measure starts the measurement with the step that needs it, and ends it when nothing is left to
// measure. The baseline is taken during the steps before the switch, so that the switch need not
// wait for it.
func (ms measuring) measure(ctx context.Context, a *attempt, s v1alpha1.Step) error {
	key := client.ObjectKeyFromObject(a.bg)
	m := ms.probers.get(key, string(a.rel.UID))
	if a.bg.Spec.URL == "" || a.rel.Status.Failure != nil && a.saved.Failure != nil {
		ms.probers.end(key)
		return nil
	}
	st := &a.rel.Status
	switch s {
	case v1alpha1.StepWarm, v1alpha1.StepVerify, v1alpha1.StepSize, v1alpha1.StepShift, v1alpha1.StepWorkers, v1alpha1.StepSwitch:
		if st.Milestones.SwitchIntendedAt != nil {
			break
		}
		if track.Divides(a.rel, a.o) {
			return ms.divide(ctx, a, m)
		}
		length := a.bg.Spec.Proof.BaselineTime()
		if m != nil && (length == 0 || a.rel.Spec.Kind == v1alpha1.Rollback || !ms.baselineOld(a, m)) {
			return nil
		}
		if m == nil {
			var err error
			if m, err = ms.prober(a, nil); err != nil {
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
		// itself. The confirmation must be durable first: a look that lost its write is repeated.
		if a.saved.Milestones.ConfirmedAt != nil {
			ms.probers.end(key)
		}
		return nil
	}
	if m != nil {
		return nil
	}
	return ms.resume(a)
}

// divide measures while users are divided between both versions. It continues with the baseline
// from before the first weight: a later one would have answers of the new version. Another
// process reads it from the record.
func (ms measuring) divide(ctx context.Context, a *attempt, m *measurement) error {
	if a.rel.Status.Proof == nil {
		return nil // not measured so far, so there is nothing to compare with
	}
	if m == nil {
		var err error
		if m, err = ms.prober(a, proof.Resume(*a.rel.Status.Proof, time.Time{})); err != nil {
			return err
		}
	}
	m.Divide(a.rel.Status.Shift.Weights[0].IntendedAt.Time)
	ms.tellApart(ctx, a, m)
	return nil
}

// tellApart finds out whether the answers show which version failed. If both run one image, or name
// themselves alike, every new failure counts against the new version: the other one did not fail so
// before.
func (ms measuring) tellApart(ctx context.Context, a *attempt, m *measurement) {
	if !m.alike && (oneImage(a) || ms.namesItselfAsBefore(ctx, a, m, m.Read().Status.Baseline)) {
		m.alike = true
		m.Alike()
	}
}

// judgeDivided returns a fault if the public address fails since the new version has users, and
// records the counts from time to time.
func (ms measuring) judgeDivided(a *attempt) error {
	m := ms.measured(a)
	if m == nil {
		return nil
	}
	if a.o.Now.Sub(m.checkpointAt) >= checkpointEvery {
		ms.checkpoint(a, m)
	}
	breach, either := m.Read().ShiftBreach, ""
	if m.alike {
		either = " (both versions name themselves alike, so it may be either of them)"
	}
	if breach != "" {
		return releaseFault(v1alpha1.FailedPublicAddress, "%s fails since the new version has users%s: %s", a.bg.Spec.URL, either, breach)
	}
	return nil
}

// baselineOld reports whether the baseline is too old to show what failed before the switch.
func (ms measuring) baselineOld(a *attempt, m *measurement) bool {
	full := m.FullAt()
	return full.IsZero() || a.o.Now.Sub(full) > a.o.Freshness
}

// resume continues another process's measurement from its last checkpoint.
func (ms measuring) resume(a *attempt) error {
	var tally *proof.Tally
	switched := a.switchTime()
	if p := a.rel.Status.Proof; p != nil {
		tally = proof.Resume(*p, switched)
	} else {
		tally = &proof.Tally{}
		if !switched.IsZero() {
			tally.Switch(switched)
		}
	}
	if shift := a.rel.Status.Shift; shift != nil && (switched.IsZero() || a.rel.Status.Proof != nil && a.rel.Status.Proof.Shift != nil) {
		// Until users are switched both versions answer, which is no baseline.
		tally.Divide(shift.Weights[0].IntendedAt.Time)
	}
	tally.Interrupt(a.o.Now)
	m, err := ms.prober(a, tally)
	if err != nil {
		return err
	}
	m.resumedAt = a.o.Now
	// Between the intent and the switch nobody knows which version answers: an answer that counts
	// as before the switch may come from the new one, which would then pass for the old one.
	if !switched.IsZero() || a.rel.Status.Shift != nil {
		m.AskOn()
	}
	ms.checkpoint(a, m)
	return nil
}

// switchTime is when traffic moved, as exactly as the record has it; zero if it did not.
func (a *attempt) switchTime() time.Time {
	m := a.rel.Status.Milestones
	if m.SwitchedAt == nil {
		return time.Time{}
	}
	for _, e := range a.rel.Status.Timeline {
		if e.Step == v1alpha1.StepSwitch && e.FinishedAt != nil && e.FinishedAt.Sub(m.SwitchedAt.Time).Abs() < 2*time.Second {
			return e.FinishedAt.Time
		}
	}
	return m.SwitchedAt.Time
}

// namesItselfAsBefore reports whether the target names the version that answered before: not every
// commit changes an application's version. It asks a pod, and one that does not answer again some
// time later. A pod that names no version shows nothing.
func (ms measuring) namesItselfAsBefore(ctx context.Context, a *attempt, m *measurement, before *v1alpha1.ProofBaseline) bool {
	if before == nil || len(before.Versions) == 0 || len(a.o.Target.Ready()) == 0 {
		return false
	}
	if m.named == nil && a.o.Now.Sub(m.namedAskedAt) >= checkpointEvery {
		m.namedAskedAt = a.o.Now
		if named, err := ms.address.named(ctx, a.bg, a.o.Target); err == nil {
			m.named = &named
		} else {
			a.log.DebugContext(ctx, "a pod did not report its version", "error", err)
		}
	}
	return m.named != nil && slices.Contains(before.Versions, *m.named)
}

// sameVersion is [measuring.namesItselfAsBefore], and records it.
func (ms measuring) sameVersion(ctx context.Context, a *attempt, m *measurement, before *v1alpha1.ProofBaseline) bool {
	if !ms.namesItselfAsBefore(ctx, a, m, before) {
		return false
	}
	a.finding(fmt.Sprintf("the answers' header %s (spec.proof.versionHeader) is %s as before the switch, so the two versions could "+
		"not be "+
		"distinguished", a.bg.Spec.Proof.VersionHeader, *m.named))
	return true
}

// prober starts a measurement, continuing a tally if there is one.
func (ms measuring) prober(a *attempt, from *proof.Tally) (*measurement, error) {
	return ms.probers.begin(client.ObjectKeyFromObject(a.bg), string(a.rel.UID), ms.measuredBy(a, from))
}

// measuredBy describes the measurement's requests.
func (ms measuring) measuredBy(a *attempt, from *proof.Tally) proof.Config {
	c := ms.address.proofConfig(a.bg, a.o.Routes)
	c.From = from
	return c
}

// baseline is when the baseline allows the switch; zero if there is nothing to wait for. A
// rollback does not wait for a baseline.
func (ms measuring) baseline(a *attempt, m *measurement) time.Time {
	switch {
	case m == nil, a.rel.Spec.Kind == v1alpha1.Rollback, m.FullAt().IsZero():
		return time.Time{}
	case a.o.Now.Before(m.FullAt()):
		return m.FullAt()
	case !m.Asking() && !m.Settled(): // the last answers are part of it
		return a.o.Now.Add(settling)
	}
	return time.Time{}
}

// waitsForBaseline is the wait until the public address was asked for long enough.
func waitsForBaseline(a *attempt, m *measurement, full time.Time) pause {
	waits := track.WaitsForObject(v1alpha1.WaitsForBaseline, "", a.bg.Spec.URL)
	waits.Until = track.Stamp(m.FullAt())
	return pause{until: full, message: "takes a baseline of " + a.bg.Spec.URL + " until " + track.Clock(m.FullAt()), waits: waits}
}

// moving records, right before a patch, that it moves traffic. If another look or process
// switched without recording it, the switch counts from its intent.
func (ms measuring) moving(a *attempt, m *measurement) {
	switch {
	case m == nil:
	case a.o.Routes.Live() != a.target():
		m.Switch(time.Now())
	case !m.Read().Switched:
		m.Switch(a.rel.Status.Milestones.SwitchIntendedAt.Time)
	}
}

// measured returns the release's measurement; nil if nothing is measured.
func (ms measuring) measured(a *attempt) *measurement {
	if a.bg.Spec.URL == "" {
		return nil
	}
	return ms.probers.get(client.ObjectKeyFromObject(a.bg), string(a.rel.UID))
}

// checkpoint puts the counts so far into the record; the caller writes it.
func (ms measuring) checkpoint(a *attempt, m *measurement) {
	m.checkpointAt = a.o.Now
	a.rel.Status.Proof = m.Read().As(v1alpha1.ProofMeasuring)
}

// unproved ends the unfinished measurement of a release that failed for another reason.
func (ms measuring) unproved(a *attempt) {
	st := &a.rel.Status
	if st.Proof == nil || st.Proof.Result != v1alpha1.ProofMeasuring {
		return
	}
	m := ms.measured(a)
	switch {
	case st.Milestones.SwitchedAt == nil && !a.rel.Divides():
		st.Proof = nil // there was no switch
	case m != nil:
		m.Interrupt()
		r := m.Read()
		ms.proved(a, m, r.As(r.Result()))
	default:
		now := metav1.NewMicroTime(a.o.Now)
		p := *st.Proof
		p.Result, p.InterruptedAt = v1alpha1.ProofInterrupted, &now
		p.P50, p.P99, p.Max = nil, nil, nil
		p.Message = proof.Sentence(p, "")
		st.Proof = &p
	}
}

// proved records how the measurement ended.
func (ms measuring) proved(a *attempt, m *measurement, p *v1alpha1.ProofStatus) {
	a.rel.Status.Proof = p
	if m == nil {
		return
	}
	m.Pause()
	if m.told || ms.observer == nil {
		return
	}
	m.told = true
	var after time.Duration
	if p.NewVersionAfter != nil {
		after = p.NewVersionAfter.Duration
	}
	ms.observer.Proved(client.ObjectKeyFromObject(a.bg), p.Result, after)
}

// oneImage reports whether both colours run the same image. An answer then does not show which
// colour it came from.
func oneImage(a *attempt) bool {
	m := a.rel.Status.Milestones
	return m.Staged != nil && m.Previous != nil && m.Staged.Image == m.Previous.Image
}
