package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

const (
	// askEvery is how often the public address is asked who answers there, as long as
	// nothing else tells; after an hour, four times as rarely.
	askEvery = 15 * time.Second
	askOften = time.Hour
	// askLimit bounds one asking: the pods, and a few requests.
	askLimit = 20 * time.Second
	// longestSilence is how rarely is asked at most what tells nothing.
	longestSilence = 10 * time.Minute
)

func (w *work) askEvery(last *v1alpha1.SwitchRecord) time.Duration {
	every := cmp.Or(w.d.AskEvery, askEvery)
	if w.o.Now.Sub(track.RoutedSince(last)) > askOften {
		every *= 4
	}
	return every
}

// settles is how long after a change of the routes Google's controller may still be
// carrying out the one before.
func (d *Deployer) settles() time.Duration { return cmp.Or(d.TakeUp, takeUpGCE) }

// answers are what was told last.
type answers struct {
	there        bool // users are where they are sent to, told apart from the other colour
	reason, text string
	// silent: it told nothing, and is asked again less and less often.
	silent bool
}

// asks are the askings about applications outside of a release's measurement, one
// an application at most. They run beside the looks, which wait for nobody. The zero
// value is ready.
type asks struct {
	mu     sync.Mutex
	of     map[client.ObjectKey]*asking
	said   map[client.ObjectKey]string // the reason of a silence that was spoken of
	wg     sync.WaitGroup
	closed bool
}

// asking is one of them.
type asking struct {
	about  string // the routes that it is about
	at     time.Time
	cancel context.CancelFunc
	done   bool
	told   *answers // by this one, or the one before; nil: nothing yet
	silent int      // how often in a row it told nothing
}

// due is when to ask again.
func (q *asking) due(every time.Duration) time.Time {
	return q.at.Add(min(every<<min(q.silent, 10), max(every, longestSilence)))
}

// routesOf names the routes that a record speaks of.
func routesOf(s *v1alpha1.SwitchRecord) string {
	return fmt.Sprint(s.UID, s.Kind, answersFrom(s))
}

// last returns the newest asking about some routes, or nil.
func (a *asks) last(app client.ObjectKey, about string) *asking {
	q := a.of[app]
	if q == nil || q.about != about {
		return nil
	}
	return q
}

// next is when an application is to be asked about some routes again.
func (a *asks) next(app client.ObjectKey, about string, every time.Duration) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.last(app, about); q != nil {
		return q.due(every)
	}
	return time.Now().Add(every)
}

// leave forgets an application: it is gone.
func (a *asks) leave(app client.ObjectKey) {
	a.forget(app)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.said, app)
}

// forget ends an application's asking, if there is one.
func (a *asks) forget(app client.ObjectKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.of[app]; q != nil {
		q.cancel()
		delete(a.of, app)
	}
}

// run ends all askings when ctx ends.
func (a *asks) run(ctx context.Context) error {
	<-ctx.Done()
	a.mu.Lock()
	a.closed = true
	for _, q := range a.of {
		q.cancel()
	}
	a.mu.Unlock()
	a.wg.Wait()
	return nil
}

// inquiry is what is to be asked.
type inquiry struct {
	app   client.ObjectKey
	about string        // the routes that it is about
	every time.Duration // not more often than that
	ask   func(context.Context) answers
	wake  func()        // is called when there is something new
	say   func(answers) // is called once of a silence; may be nil
}

// begin asks, unless that is being done, or was a moment ago, and returns what was
// told last; nil if nothing was.
func (a *asks) begin(i inquiry) *answers {
	a.mu.Lock()
	defer a.mu.Unlock()
	var told *answers
	old := a.of[i.app]
	if old != nil && (old.about == i.about || old.silent > 0) { // who was silent is so of other routes, too
		if told = old.told; !old.done || time.Now().Before(old.due(i.every)) {
			return told
		}
	}
	if a.closed {
		return told
	}
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	next := &asking{about: i.about, at: time.Now(), cancel: cancel, told: told}
	if old != nil {
		old.cancel()
		next.silent = old.silent
	}
	if a.of == nil {
		a.of = map[client.ObjectKey]*asking{}
	}
	a.of[i.app] = next
	a.wg.Go(func() {
		defer cancel()
		news := i.ask(ctx)
		if errors.Is(ctx.Err(), context.Canceled) {
			return // nobody wants to know any more
		}
		if a.hear(i, next, news) && i.say != nil {
			i.say(news)
		}
		i.wake()
	})
	return told
}

// hear takes in what was told, and reports whether it is a silence that nothing was
// said of yet.
func (a *asks) hear(i inquiry, q *asking, news answers) (fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q.told, q.done = &news, true
	if !news.silent {
		q.silent = 0
		delete(a.said, i.app)
		return false
	}
	q.silent++
	if a.said == nil {
		a.said = map[client.ObjectKey]string{}
	}
	before, spoken := a.said[i.app]
	a.said[i.app] = news.reason
	return !spoken || before != news.reason
}

// ask returns what the public address told of routes, and has it asked again if that
// is due. It counts only from when on no answer can come from routes before.
func (w *work) ask(last *v1alpha1.SwitchRecord, live v1alpha1.Color) answers {
	spec := w.bg.Spec
	switch {
	case spec.URL == "":
		return answers{reason: v1alpha1.ReasonNoAddress, text: "Set spec.url and spec.proof.versionHeader, and the public address is asked"}
	case spec.Proof.VersionHeader == "":
		return answers{
			reason: v1alpha1.ReasonNoVersionHeader,
			text:   "Set spec.proof.versionHeader to a header in which the application names its version, and " + spec.URL + " is asked",
		}
	}
	waits := answers{reason: v1alpha1.ReasonAsking, text: spec.URL + " is being asked"}
	if at := answersFrom(last); w.o.Now.Before(at) {
		w.wakeAt(at)
		waits.text = spec.URL + " is asked from " + track.Clock(at) +
			" on: until then front ends of the load balancer may be at the routes before"
		return waits
	}
	key, bg := client.ObjectKeyFromObject(w.bg), w.bg.DeepCopy()
	to, from, routes := w.o.Sides[live], w.o.Sides[live.Other()], w.o.Routes
	told := w.d.asks.begin(inquiry{
		app: key, about: routesOf(last), every: w.askEvery(last),
		ask: func(ctx context.Context) answers {
			return w.d.whoAnswers(ctx, bg, w.d.proofConfig(bg, routes), to, from)
		},
		wake: func() { w.d.probers.look(key) },
	})
	if told == nil {
		return waits
	}
	return *told
}

// answersFrom is when answers begin to be a sign; zero if they always were.
func answersFrom(last *v1alpha1.SwitchRecord) time.Time {
	if last.AnswersFrom == nil {
		return time.Time{}
	}
	return last.AnswersFrom.Time
}

// whoAnswers asks the pods of both colours for their versions, and then the public
// address whose is there. Pods are asked each time: it needs no memory.
func (d *Deployer) whoAnswers(ctx context.Context, bg *v1alpha1.BlueGreen, c proof.Config, to, from track.Side) answers {
	header := bg.Spec.Proof.VersionHeader
	apart := func(format string, args ...any) answers {
		return answers{reason: v1alpha1.ReasonNotToldApart, text: fmt.Sprintf("%s cannot tell: ", bg.Spec.URL) + fmt.Sprintf(format, args...)}
	}
	theirs, err := d.named(ctx, bg, to)
	if err != nil {
		return apart("no pod of %s could be asked for its version: %v", to.Color, err)
	}
	if theirs == "" {
		return apart("the pods of %s do not answer with the header %s (spec.proof.versionHeader)", to.Color, header)
	}
	if len(from.Ready()) > 0 { // else nobody answers there
		old, err := d.named(ctx, bg, from)
		if err != nil {
			return apart("no pod of %s could be asked for its version: %v", from.Color, err)
		}
		if old == theirs {
			return apart("the pods of both colours name the version %s in %s (spec.proof.versionHeader)", theirs, header)
		}
	}
	all := proof.Ask(ctx, c, track.NewInARow)
	seen := 0
	for _, a := range all {
		switch a.Version {
		case theirs:
			seen++
		case "":
			return answers{reason: v1alpha1.ReasonNoAnswer, text: fmt.Sprintf("%s named no version when it was asked last: %s", bg.Spec.URL, a.Text)}
		default:
			return answers{
				reason: v1alpha1.ReasonOldVersion,
				text:   fmt.Sprintf("%s answers with the version %s, and the pods of %s are %s", bg.Spec.URL, a.Version, to.Color, theirs),
			}
		}
	}
	if seen < track.NewInARow {
		return answers{reason: v1alpha1.ReasonNoAnswer, text: bg.Spec.URL + " did not answer in time when it was asked last"}
	}
	return answers{there: true}
}

// named asks a pod of a colour which version it is; "" if it names none.
func (d *Deployer) named(ctx context.Context, bg *v1alpha1.BlueGreen, side track.Side) (string, error) {
	pods, spec := side.Ready(), bg.Spec.Proof
	public, err := url.Parse(bg.Spec.URL)
	if err != nil {
		return "", fmt.Errorf("reading spec.url: %w", err)
	}
	if len(pods) == 0 {
		return "", fmt.Errorf("none is ready")
	}
	check := v1alpha1.HTTPCheck{Path: strings.TrimSuffix(public.Path, "/") + spec.Path, Port: side.UserPort, Scheme: "HTTP"}
	version, err := d.Pods.Header(ctx, check, public.Host, pods[0], spec.VersionHeader, bg.Spec.Gate.TryTimeout.Duration)
	return proof.Version(version), err
}

// proofConfig is how an application's public address is asked.
func (d *Deployer) proofConfig(bg *v1alpha1.BlueGreen, routes track.Routes) proof.Config {
	c := proof.ConfigFor(bg.Spec.URL, bg.Spec.Proof)
	c.UserAgent = d.UserAgent
	c.Dial = publicnet.Dialer(d.AllowAddresses, routes.Addresses...)
	if d.Proxy != nil { // what that may ask is for whoever runs it to say
		c.Proxy, c.Dial = http.ProxyURL(d.Proxy), new(net.Dialer).DialContext
	}
	if d.Observer != nil {
		key := client.ObjectKeyFromObject(bg)
		c.Answered = func(k proof.Kind) { d.Observer.Asked(key, k.String()) }
	}
	return c
}

// look has the deployer look at an application, if it is listening.
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
	default: // the next look is never far
	}
}
