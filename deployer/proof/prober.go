package proof

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// Config describes a [Prober]'s requests.
type Config struct {
	// URL to request, with its path. Required, as are Method and Rate.
	URL, Method string
	// VersionHeader is a header of the answers that distinguishes versions; "" means none.
	VersionHeader string
	// Header is sent with every request. Optional.
	Header map[string]string
	// Rate is the maximum number of requests a second.
	Rate int
	// UserAgent identifies the sender; see [UserAgent].
	UserAgent string
	// Dial makes connections; nil means to public addresses only, see [publicnet.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy to send requests through; nil means none, whatever the environment sets.
	Proxy func(*http.Request) (*url.URL, error)
	// Answered is called with the kind of every answer, and must not block. Optional.
	Answered func(Kind)
	// Wake is called for news that should not wait for the next look: the new version
	// answers, or fails. It must not block. Optional.
	Wake func()
	// From is the tally to continue; nil means an empty one.
	From *Tally
}

// ConfigFor is the configuration in an application's spec.
func ConfigFor(address string, s v1alpha1.ProofSpec) Config {
	return Config{URL: strings.TrimSuffix(address, "/") + s.Path, Method: s.Method, VersionHeader: s.VersionHeader, Rate: int(s.Rate)}
}

// UserAgent is a proof's User-Agent, given the version of Turnout.
func UserAgent(version string) string {
	return "turnout-proof/" + version + " (+https://github.com/turnout-dev/turnout)"
}

// maxInFlight bounds the requests in flight; requests beyond it are skipped.
const maxInFlight = 50

// Prober sends requests to an address and counts the answers. It sends only from
// [Prober.TakeBaseline] until the baseline is full, and from [Prober.Divide],
// [Prober.Switch] or [Prober.AskOn] until [Prober.Pause] or [Prober.Stop]. Its methods may be called
// concurrently.
type Prober struct {
	c       Config
	address *address
	ctx     context.Context
	cancel  context.CancelFunc
	slots   chan struct{} // one for each request in flight
	wg      sync.WaitGroup

	mu      sync.Mutex
	tally   *Tally
	running bool      // a goroutine is sending
	want    bool      // it should continue
	until   time.Time // until then; zero: until further notice
	fullAt  time.Time // of the last baseline
	turn    int       // requests so far
	told    bool      // Wake was called for the new version
	alarmed bool      // Wake was called for its failures
	slow    bool      // users are divided, see [Prober.Divide]
	// faster ends the pause of the slow pace.
	faster chan struct{}
}

// NewProber returns a prober that sends nothing yet. It lives until it is stopped or ctx
// ends.
func NewProber(ctx context.Context, c Config) *Prober {
	if c.Dial == nil {
		c.Dial = publicnet.Dialer(nil)
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &Prober{c: c, address: newAddress(c), ctx: ctx, cancel: cancel, tally: c.From, faster: make(chan struct{}, 1)}
	p.slots = make(chan struct{}, min(max(c.Rate, 2), maxInFlight))
	if p.tally == nil {
		p.tally = &Tally{}
	}
	return p
}

// TakeBaseline discards all counts so far and sends requests for a given time.
func (p *Prober) TakeBaseline(length time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally, p.fullAt = &Tally{}, time.Now().Add(length)
	p.ask(p.fullAt)
}

// FullAt is when the last baseline was full, or will be; zero if none was taken.
func (p *Prober) FullAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fullAt
}

// Settled reports whether no request is in flight. Those of a full baseline end within
// seconds.
func (p *Prober) Settled() bool { return len(p.slots) == 0 }

// Divide records that users are divided since a given time, and sends one request a second from
// now on. It may be called again.
func (p *Prober) Divide(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Divide(at)
	p.slow = true
	p.ask(time.Time{})
}

// Alike is [Tally.Alike].
func (p *Prober) Alike() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Alike()
}

// Switch records that traffic is about to move, and sends requests from now on.
func (p *Prober) Switch(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Switch(at)
	if p.slow {
		p.slow = false
		select {
		case p.faster <- struct{}{}:
		default:
		}
	}
	p.told, p.alarmed = false, false
	p.ask(time.Time{})
}

// AskOn sends requests from now until further notice.
func (p *Prober) AskOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ask(time.Time{})
}

// Forgive is [Tally.Forgive].
func (p *Prober) Forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Forgive()
	p.alarmed = false
}

// Interrupt is [Tally.Interrupt].
func (p *Prober) Interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Interrupt(time.Now())
}

// Read returns the state of the tally.
func (p *Prober) Read() Reading {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tally.Read()
}

// Asking reports whether requests are being sent.
func (p *Prober) Asking() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted()
}

// Pause sends no more requests. Those in flight still count.
func (p *Prober) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want = false
}

// Stop ends the prober, cancels the requests in flight, which do not count, and returns when all
// its goroutines have ended. Its counts can still be read.
func (p *Prober) Stop() {
	p.mu.Lock()
	p.want = false
	p.cancel()
	p.mu.Unlock()
	p.wg.Wait()
	p.address.close()
}

func (p *Prober) wanted() bool {
	return p.want && p.ctx.Err() == nil && (p.until.IsZero() || time.Now().Before(p.until))
}

// ask makes sure that requests are sent until a given time; zero means until further notice.
func (p *Prober) ask(until time.Time) {
	p.want, p.until = true, until
	if p.running || !p.wanted() {
		return
	}
	p.running = true
	p.wg.Go(p.run)
}

// run sends requests at the configured rate while they are wanted, the first at once. While users
// are divided it takes its time.
func (p *Prober) run() {
	tick := time.NewTicker(time.Second / time.Duration(max(p.c.Rate, 1)))
	defer tick.Stop()
	for {
		goesOn, slow := p.goesOn()
		if !goesOn {
			return
		}
		p.send()
		next := tick.C
		if slow {
			next = time.After(divisionPace)
		}
		select {
		case <-next:
		case <-p.faster:
		case <-p.ctx.Done():
		}
	}
}

func (p *Prober) goesOn() (goesOn, slow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = p.wanted()
	return p.running, p.slow
}

// send sends one request, unless too many are in flight.
func (p *Prober) send() {
	select {
	case p.slots <- struct{}{}:
	default:
		return
	}
	p.turn++
	keep := p.turn%2 == 0
	p.wg.Go(func() {
		defer func() { <-p.slots }()
		a := p.address.ask(p.ctx, keep)
		if p.ctx.Err() == nil {
			p.take(a)
		}
	})
}

// take counts an answer, and calls Wake if it is news.
func (p *Prober) take(a Answer) {
	p.mu.Lock()
	p.tally.Add(a)
	there, breach := p.tally.newInARow >= track.NewInARow, p.tally.breach != "" || p.tally.shift.breach != ""
	wake := there && !p.told || breach && !p.alarmed
	p.told, p.alarmed = p.told || there, p.alarmed || breach
	p.mu.Unlock()
	if p.c.Answered != nil {
		p.c.Answered(a.Kind)
	}
	if wake && p.c.Wake != nil {
		p.c.Wake()
	}
}
