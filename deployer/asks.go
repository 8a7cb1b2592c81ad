package deployer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

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

// answersFrom is when answers begin to be a sign; zero if they always were.
func answersFrom(last *v1alpha1.SwitchRecord) time.Time {
	if last.AnswersFrom == nil {
		return time.Time{}
	}
	return last.AnswersFrom.Time
}

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
