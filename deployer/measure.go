package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
)

const (
	// checkpointEvery is the age of the numbers in the record, at most, while the
	// public address is asked. Every write wakes who watches.
	checkpointEvery = 10 * time.Second
	// settling is how often it is looked whether the last answers of a baseline are
	// there.
	settling = 100 * time.Millisecond
	// unattended is how long a prober asks on although nobody looks at its release
	// any more. A confirmation looks every second.
	unattended = time.Minute
)

// probers are those of the releases under way, one an application at most. A
// prober runs between looks; it decides
// nothing. The zero value is ready.
type probers struct {
	mu     sync.Mutex
	of     map[client.ObjectKey]*measurement
	closed bool
	// wake has the deployer look at an application.
	wake chan event.TypedGenericEvent[*v1alpha1.BlueGreen]
}

// measurement is one release's prober, and what this process knows of it.
type measurement struct {
	*proof.Prober
	release      string    // its UID
	checkpointAt time.Time // of the last one
	resumedAt    time.Time // zero: from the beginning
	told         bool      // the observer was told how it ended
	named        *string   // the version that a pod of the target names; nil: not asked yet
	dog          *time.Timer
}

var errStopping = errors.New("this process is ending")

// get returns a release's measurement, or nil. That of another release ends.
func (p *probers) get(app client.ObjectKey, release string) *measurement {
	p.mu.Lock()
	m := p.of[app]
	p.mu.Unlock()
	if m == nil {
		return nil
	}
	if m.release != release || !m.dog.Reset(unattended) {
		p.end(app)
		return nil
	}
	return m
}

// begin makes a release's measurement.
func (p *probers) begin(app client.ObjectKey, release string, c proof.Config) (*measurement, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errStopping
	}
	c.Wake = func() { p.look(app) }
	m := &measurement{Prober: proof.NewProber(context.Background(), c), release: release}
	m.dog = time.AfterFunc(unattended, m.Stop)
	if p.of == nil {
		p.of = map[client.ObjectKey]*measurement{}
	}
	p.of[app] = m
	return m, nil
}

// end stops an application's prober, if there is one.
func (p *probers) end(app client.ObjectKey) {
	p.mu.Lock()
	m := p.of[app]
	delete(p.of, app)
	p.mu.Unlock()
	if m != nil {
		m.dog.Stop()
		m.Stop()
	}
}

// run ends all probers when ctx ends.
func (p *probers) run(ctx context.Context) error {
	<-ctx.Done()
	p.mu.Lock()
	p.closed = true
	var all []client.ObjectKey
	for app := range p.of {
		all = append(all, app)
	}
	p.mu.Unlock()
	for _, app := range all {
		p.end(app)
	}
	return nil
}

// measure begins, with a step, what the switch is measured by, and ends it where
// nothing is to be measured any more. The baseline is taken beside the steps
// before the switch, so that that need not wait for it.
func (a *attempt) measure(s v1alpha1.Step) error {
	key := client.ObjectKeyFromObject(a.bg)
	m := a.d.probers.get(key, string(a.rel.UID))
	if a.bg.Spec.URL == "" || a.rel.Status.Failure != nil && a.saved.Failure != nil {
		a.d.probers.end(key)
		return nil
	}
	st := &a.rel.Status
	switch s {
	case v1alpha1.StepWarm, v1alpha1.StepVerify, v1alpha1.StepSize, v1alpha1.StepSwitch:
		if st.Milestones.SwitchIntendedAt != nil {
			break
		}
		length := a.bg.Spec.Proof.BaselineTime()
		if m != nil && (length == 0 || a.rel.Spec.Kind == v1alpha1.Rollback || !a.baselineOld(m)) {
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
		// A step that took long may come back to verify; what is running there
		// ends by itself. That it is confirmed is durable first: a look that lost
		// its write is made again.
		if a.saved.Milestones.ConfirmedAt != nil {
			a.d.probers.end(key)
		}
		return nil
	}
	if m != nil {
		return nil
	}
	return a.resume()
}

// baselineOld: it is too old to say what failed before the switch.
func (a *attempt) baselineOld(m *measurement) bool {
	full := m.FullAt()
	return full.IsZero() || a.o.Now.Sub(full) > a.o.Freshness
}

// resume goes on with a measurement that another process began, from its last
// checkpoint.
func (a *attempt) resume() error {
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
	tally.Interrupt(a.o.Now)
	m, err := a.prober(tally)
	if err != nil {
		return err
	}
	m.resumedAt = a.o.Now
	m.AskOn()
	a.checkpoint(m)
	return nil
}

// switchTime is when traffic moved, as exactly as the record has it; zero if it
// did not.
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

// sameVersion reports whether the target names the version that answered before
// the switch: not every commit changes what an application says it is. A pod is
// asked for that itself; one that cannot be asked, or names nothing, tells nothing.
func (a *attempt) sameVersion(ctx context.Context, m *measurement, before *v1alpha1.ProofBaseline) bool {
	if before == nil || len(a.o.Target.Ready()) == 0 {
		return false
	}
	if m.named == nil {
		named, err := a.d.named(ctx, a.bg, a.o.Target)
		if err != nil {
			a.log.DebugContext(ctx, "a pod could not be asked for its version", "error", err)
		}
		m.named = &named
	}
	if *m.named == "" || !slices.Contains(before.Versions, *m.named) {
		return false
	}
	a.finding(fmt.Sprintf("the answers' header %s (spec.proof.versionHeader) is %s as before the switch, so the new version could not be "+
		"told from the old one", a.bg.Spec.Proof.VersionHeader, *m.named))
	return true
}

// prober begins a measurement, with a tally to go on from, if there is one.
func (a *attempt) prober(from *proof.Tally) (*measurement, error) {
	return a.d.probers.begin(client.ObjectKeyFromObject(a.bg), string(a.rel.UID), a.measuredBy(from))
}

// measuredBy says what is asked, and how.
func (a *attempt) measuredBy(from *proof.Tally) proof.Config {
	c := a.d.proofConfig(a.bg, a.o.Routes)
	c.From = from
	return c
}

// baseline is when the switch may be made, as far as the baseline goes; users of
// a rollback do not wait for one. It is zero if there is nothing to wait for.
func (a *attempt) baseline(m *measurement) time.Time {
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

// moving notes right before a patch that it moves traffic. A switch that another
// look, or another process, made and did not get to note is noted as of its
// intent.
func (a *attempt) moving(m *measurement) {
	switch {
	case m == nil:
	case a.o.Routes.Live() != a.target():
		m.Switch(time.Now())
	case !m.Read().Switched:
		m.Switch(a.rel.Status.Milestones.SwitchIntendedAt.Time)
	}
}

// measured returns the release's measurement; nil where nothing is measured.
func (a *attempt) measured() *measurement {
	if a.bg.Spec.URL == "" {
		return nil
	}
	return a.d.probers.get(client.ObjectKeyFromObject(a.bg), string(a.rel.UID))
}

// checkpoint notes what was seen so far for the record; whoever writes that
// chooses the moment.
func (a *attempt) checkpoint(m *measurement) {
	m.checkpointAt = a.o.Now
	a.rel.Status.Proof = m.Read().As(v1alpha1.ProofMeasuring)
}

// unproved ends, for a release that failed at something else, a measurement that
// did not come to its end.
func (a *attempt) unproved() {
	st := &a.rel.Status
	if st.Proof == nil || st.Proof.Result != v1alpha1.ProofMeasuring {
		return
	}
	m := a.measured()
	switch {
	case st.Milestones.SwitchedAt == nil:
		st.Proof = nil // nothing was switched
	case m != nil:
		m.Interrupt()
		r := m.Read()
		a.proved(m, r.As(r.Result()))
	default:
		now := metav1.NewMicroTime(a.o.Now)
		p := *st.Proof
		p.Result, p.InterruptedAt = v1alpha1.ProofInterrupted, &now
		p.P50, p.P99, p.Max = nil, nil, nil
		p.Message = proof.Sentence(p, "")
		st.Proof = &p
	}
}

// proved notes how the measurement ended.
func (a *attempt) proved(m *measurement, p *v1alpha1.ProofStatus) {
	a.rel.Status.Proof = p
	if m == nil {
		return
	}
	m.Pause()
	if m.told || a.d.Observer == nil {
		return
	}
	m.told = true
	var after time.Duration
	if p.NewVersionAfter != nil {
		after = p.NewVersionAfter.Duration
	}
	a.d.Observer.Proved(client.ObjectKeyFromObject(a.bg), p.Result, after)
}
