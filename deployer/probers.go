package deployer

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
)

// probers are the probers of current releases, at most one per application. A prober runs between
// looks and decides nothing. The zero value is ready to use.
type probers struct {
	mu     sync.Mutex
	of     map[client.ObjectKey]*measurement
	closed bool
	// wake makes the deployer look at an application.
	wake chan event.TypedGenericEvent[*v1alpha1.BlueGreen]
}

// look makes the deployer look at an application, if it is listening.
func (p *probers) look(app client.ObjectKey) {
	p.mu.Lock()
	wake := p.wake
	p.mu.Unlock()
	if wake == nil {
		return
	}
	bg := &v1alpha1.BlueGreen{}
	bg.Namespace, bg.Name = app.Namespace, app.Name
	select {
	case wake <- event.TypedGenericEvent[*v1alpha1.BlueGreen]{Object: bg}:
	default: // the next look comes soon anyway
	}
}

const (
	// checkpointEvery is the maximum age of the recorded counts during a measurement. Every write
	// wakes watchers.
	checkpointEvery = 10 * time.Second
	// settling is how often to check whether the last answers of a baseline have arrived.
	settling = 100 * time.Millisecond
	// unattended is how long a prober continues although nobody looks at its release. A
	// confirmation looks every second.
	unattended = time.Minute
)

// measurement is one release's prober, and what this process knows about it.
type measurement struct {
	*proof.Prober
	release      string    // its UID
	checkpointAt time.Time // of the last checkpoint
	resumedAt    time.Time // zero: never interrupted
	told         bool      // the observer got the result
	named        *string   // the version that a pod of the target names; nil: not known yet
	namedAskedAt time.Time // when a pod was asked for it last
	alike        bool      // both versions have one name, see [measuring.tellApart]
	dog          *time.Timer
}

// get returns a release's measurement, or nil. It ends the measurement of any other release.
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

// begin starts a release's measurement.
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

// endOf stops an application's prober, if it is that of a release.
func (p *probers) endOf(app client.ObjectKey, release string) {
	p.mu.Lock()
	its := p.of[app] != nil && p.of[app].release == release
	p.mu.Unlock()
	if its {
		p.end(app)
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
