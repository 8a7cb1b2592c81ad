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

// answers are the latest answers to an inquiry.
type answers struct {
	there        bool // users are where the routes send them, and not on the other colour
	reason, text string
	// silent: there was no usable answer; the next question follows at growing intervals.
	silent bool
}

// asks are the inquiries about applications outside a release's measurement, at most one per
// application. They run in the background, and no look waits for them. The zero value is ready to
// use.
type asks struct {
	mu     sync.Mutex
	of     map[client.ObjectKey]*asking
	said   map[client.ObjectKey]string // the reason of a silence that was logged
	wg     sync.WaitGroup
	closed bool
}

// asking is one inquiry.
type asking struct {
	about  string // its routes
	at     time.Time
	cancel context.CancelFunc
	done   bool
	told   *answers // of this inquiry or the one before; nil: none yet
	silent int      // consecutive questions without a usable answer
}

// due is when to ask again.
func (q *asking) due(every time.Duration) time.Time {
	return q.at.Add(min(every<<min(q.silent, 10), max(every, longestSilence)))
}

// routesOf identifies the routes of a record.
func routesOf(s *v1alpha1.SwitchRecord) string {
	return fmt.Sprint(s.UID, s.Kind, answersFrom(s))
}

// last returns the newest inquiry about these routes, or nil.
func (a *asks) last(app client.ObjectKey, about string) *asking {
	q := a.of[app]
	if q == nil || q.about != about {
		return nil
	}
	return q
}

// next is when to ask about an application's routes again.
func (a *asks) next(app client.ObjectKey, about string, every time.Duration) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.last(app, about); q != nil {
		return q.due(every)
	}
	return time.Now().Add(every)
}

// leave forgets an application that is gone.
func (a *asks) leave(app client.ObjectKey) {
	a.forget(app)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.said, app)
}

// forget ends an application's inquiry, if there is one.
func (a *asks) forget(app client.ObjectKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.of[app]; q != nil {
		q.cancel()
		delete(a.of, app)
	}
}

// run ends all inquiries when ctx ends.
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

// inquiry describes a question.
type inquiry struct {
	app   client.ObjectKey
	about string        // its routes
	every time.Duration // the minimum interval
	ask   func(context.Context) answers
	wake  func()        // called when there is something new
	say   func(answers) // called once per silence; may be nil
}

// begin asks, unless an inquiry is running or has just ended. It returns the latest answers; nil
// if there are none.
func (a *asks) begin(i inquiry) *answers {
	a.mu.Lock()
	defer a.mu.Unlock()
	var told *answers
	old := a.of[i.app]
	if old != nil && (old.about == i.about || old.silent > 0) { // a silent source stays silent about new routes
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
			return // nobody needs the answer any more
		}
		if a.hear(i, next, news) && i.say != nil {
			i.say(news)
		}
		i.wake()
	})
	return told
}

// hear records answers, and reports whether they are a silence that was not logged yet.
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

// answersFrom is the time from which answers are a sign; zero if they always were.
func answersFrom(last *v1alpha1.SwitchRecord) time.Time {
	if last.AnswersFrom == nil {
		return time.Time{}
	}
	return last.AnswersFrom.Time
}

const (
	// askEvery is how often to ask the public address which version answers while nothing else
	// shows it; after an hour, a quarter as often.
	askEvery = 15 * time.Second
	askOften = time.Hour
	// askLimit bounds one inquiry: the pods, and a few requests.
	askLimit = 20 * time.Second
	// longestSilence is the longest interval for an address that shows nothing.
	longestSilence = 10 * time.Minute
)
