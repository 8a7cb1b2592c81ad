package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// callLimit bounds a call to GitHub, Cloud Build or a registry. All have shorter limits of
	// their own. It is shorter than buildGrace, so that no search for a build starts while its
	// creation is still in progress.
	callLimit = 45 * time.Second
	// transferLimit bounds one attempt to upload a source to Cloud Storage.
	transferLimit = 30 * time.Minute
	// transfers is how many sources are uploaded in parallel.
	transfers = 4
	// patience is how long a look waits for an answer. Most answers come sooner, so a quiet
	// release takes its steps in one look.
	patience = 500 * time.Millisecond
	// haste is the patience of a look with more urgent work.
	haste = 50 * time.Millisecond
	// silent is the age from which a call is shown as a wait.
	silent = 2 * time.Second
	// firstBackOff and longestBackOff are the shortest and the longest pause after failed calls.
	firstBackOff   = 500 * time.Millisecond
	longestBackOff = 2 * time.Minute
)

// calls are those outside the cluster: to GitHub, Cloud Build, Cloud Storage and registries. They
// run in the background, and a look waits for one only for a moment. When a call ends it wakes
// its application, and the next look finds the answer. The zero value is ready to use.
type calls struct {
	mu      sync.Mutex
	turns   map[client.ObjectKey]map[turnKey]*turn
	heard   map[client.ObjectKey]map[string]bool
	closed  bool
	running sync.WaitGroup
	slots   chan struct{} // of the transfers
	idle    chan struct{} // slots for calls that nobody waits for

	// wake makes the deployer look at an application; stopped is closed when it no longer does.
	// Both are nil without a manager.
	wake    chan<- event.TypedGenericEvent[*v1alpha1.BlueGreen]
	stopped chan struct{}
	// firstBackOff overrides the constant, if set.
	firstBackOff time.Duration
}

// turnKey identifies who asks: a step of a release, or the queue, which has neither.
type turnKey struct {
	release string // its UID
	step    v1alpha1.Step
}

// turn holds the questions of one step of a release until the step comes to a result. It keeps
// answers while others are missing, and the back-off while calls fail. It belongs to the current
// look, except for what mu of calls guards.
type turn struct {
	of   *calls
	app  client.ObjectKey
	key  turnKey
	wait time.Duration

	calls map[question]*call // guarded by of.mu

	waitsSince time.Time // of a wait that is not recorded yet
	waits      v1alpha1.Waiting

	failures int
	until    time.Time // of the back-off
	why      error
}

// call is one call, in progress or answered.
type call struct {
	effect bool
	begun  time.Time
	cancel context.CancelFunc
	ended  chan struct{}
	// value and err are set once ended is closed.
	value any
	err   error
}

// over reports whether a call has ended.
func (c *call) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// question is what to ask.
type question struct {
	// what describes the question to people.
	what string
	// about distinguishes it from its turn's other questions, since the text for people is
	// shortened.
	about string
	// transfer: it uploads a source to Cloud Storage, which takes a while.
	transfer bool
	// few: nobody waits for it, and only a few of these run at once.
	few bool
	// limit of the time that it takes; 0 means callLimit.
	limit time.Duration
	// effect: it changes something. It is not cancelled with its release, since its result shows
	// what to undo.
	effect bool
}

// waiting is the error for an answer that is not there yet. The end of the call wakes the
// application.
type waiting struct {
	what  string
	begun time.Time
}

func (w *waiting) Error() string { return "waits for an answer: " + w.what }

// pause is the step's wait for the answer. The record shows only long waits.
func (w *waiting) pause(now time.Time) pause {
	if soon := w.begun.Add(silent); now.Before(soon) {
		return pause{until: soon}
	}
	p := w.told()
	p.until = now.Add(silent)
	return p
}

// told describes the wait.
func (w *waiting) told() pause {
	return pause{message: w.Error(), waits: track.WaitsForObject(v1alpha1.WaitsForAnswer, "", w.what)}
}

// pending returns the missing answer that an error stands for; nil for any other error.
func pending(err error) *waiting {
	w, _ := errors.AsType[*waiting](err)
	return w
}

// ask makes a call in the background and returns its answer. If the answer is not there yet, the
// error is a [waiting]: the caller gives up its step and asks the same in the next look. do gets
// its inputs as values, since it runs while the look continues without it.
func ask[T any](ctx context.Context, t *turn, q question, do func(context.Context) (T, error)) (T, error) {
	var none T
	c, err := t.begin(q, func(ctx context.Context) (any, error) { return do(ctx) })
	if err != nil {
		return none, err
	}
	timer := time.NewTimer(t.wait)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-ctx.Done():
		return none, fmt.Errorf("%s: %w", q.what, ctx.Err())
	case <-timer.C:
		return none, &waiting{what: q.what, begun: c.begun}
	}
	answer, _ := c.value.(T)
	return answer, c.err
}

// begin starts a call, unless this turn already has it.
func (t *turn) begin(q question, do func(context.Context) (any, error)) (*call, error) {
	o := t.of
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := t.calls[q]; c != nil {
		return c, nil
	}
	if o.closed {
		return nil, errStopping
	}
	limit := cmp.Or(q.limit, callLimit)
	if q.transfer {
		limit = transferLimit
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &call{effect: q.effect, begun: time.Now(), cancel: cancel, ended: make(chan struct{})}
	if t.calls == nil {
		t.calls = map[question]*call{}
	}
	t.calls[q] = c
	slot := o.slot(q)
	o.running.Go(func() {
		defer cancel()
		c.value, c.err = within(ctx, slot, limit, do)
		close(c.ended)
		o.tell(t.app)
	})
	return c, nil
}

// slot returns the slots for a call; nil if it needs none. o.mu is held.
func (o *calls) slot(q question) chan struct{} {
	if o.slots == nil {
		o.slots, o.idle = make(chan struct{}, transfers), make(chan struct{}, transfers)
	}
	switch {
	case q.transfer:
		return o.slots
	case q.few:
		return o.idle
	}
	return nil
}

// within runs do with a time limit that begins when it gets its slot.
func within(ctx context.Context, slot chan struct{}, limit time.Duration, do func(context.Context) (any, error)) (any, error) {
	if slot != nil {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}

// tell wakes an application.
func (o *calls) tell(app client.ObjectKey) {
	if o.wake == nil {
		return
	}
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}}
	select {
	case o.wake <- event.TypedGenericEvent[*v1alpha1.BlueGreen]{Object: bg}:
	case <-o.stopped:
	}
}

// turn returns the turn of a step, which may have begun in an earlier look.
func (o *calls) turn(app client.ObjectKey, key turnKey, wait time.Duration) *turn {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.turns == nil {
		o.turns = map[client.ObjectKey]map[turnKey]*turn{}
	}
	if o.turns[app] == nil {
		o.turns[app] = map[turnKey]*turn{}
	}
	t := o.turns[app][key]
	if t == nil {
		t = &turn{of: o, app: app, key: key}
		o.turns[app][key] = t
	}
	t.wait = wait
	return t
}

// find returns a call of a turn, in progress or answered, or nil.
func (t *turn) find(q question) *call {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	return t.calls[q]
}

// held is the failure that the turn backs off from, and until when. Waking the step does not
// shorten the back-off.
func (t *turn) held(now time.Time) (until time.Time, why error) {
	if !now.Before(t.until) {
		return time.Time{}, nil
	}
	return t.until, t.why
}

// settle ends a turn that came to a result: its answers have been used. After a failed call, the
// result is when to try again, at growing intervals. After any other error the turn just starts
// again.
func (t *turn) settle(now time.Time, err error) (until time.Time) {
	failed := false
	t.of.mu.Lock()
	maps.DeleteFunc(t.calls, func(_ question, c *call) bool {
		over := c.over()
		failed = failed || over && c.err != nil
		if !over && !c.effect { // the step gave it up
			c.cancel()
		}
		return over || !c.effect
	})
	first := t.of.firstBackOff
	t.of.mu.Unlock()
	if err == nil {
		t.failures, t.until, t.why = 0, time.Time{}, nil
		return time.Time{}
	}
	if !failed {
		return time.Time{}
	}
	if first == 0 {
		first = firstBackOff
	}
	pause := min(first<<min(t.failures, 16), max(first, longestBackOff))
	t.failures++
	// After a common outage, releases should not all come back at once.
	t.until, t.why = now.Add(pause-time.Duration(rand.Float64()*float64(pause)/4)), err
	return t.until
}

// hear ends an application's back-off if a person has given a command since the last look.
// commands are all that were given.
func (o *calls) hear(app client.ObjectKey, commands map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, known := o.heard[app]
	if o.heard == nil {
		o.heard = map[client.ObjectKey]map[string]bool{}
	}
	o.heard[app] = commands
	if !known {
		return
	}
	for c := range commands {
		if !before[c] {
			for _, t := range o.turns[app] {
				t.failures, t.until, t.why = 0, time.Time{}, nil
			}
			return
		}
	}
}

// keep ends the turns of releases that have ended or are gone. An effect in progress may finish.
func (o *calls) keep(app client.ObjectKey, unfinished map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, t := range o.turns[app] {
		if key.release != "" && !unfinished[key.release] {
			o.drop(app, t, func(c *call) bool { return !c.effect || c.over() })
		}
	}
}

// rest forgets turns outside of releases that keep nothing, after a look. Most applications rest most of the time.
func (o *calls) rest(app client.ObjectKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, t := range o.turns[app] {
		if key.release == "" && len(t.calls) == 0 && t.failures == 0 {
			delete(o.turns[app], key)
		}
	}
	if len(o.turns[app]) == 0 {
		delete(o.turns, app)
	}
}

// leave ends all calls for an application: it is gone, or somebody else holds its claim.
func (o *calls) leave(app client.ObjectKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.turns[app] {
		o.drop(app, t, everyCall)
	}
	delete(o.turns, app)
	delete(o.heard, app)
}

func everyCall(*call) bool { return true }

// drop cancels the selected calls of a turn, and forgets an empty turn. o.mu is held.
func (o *calls) drop(app client.ObjectKey, t *turn, goes func(*call) bool) {
	maps.DeleteFunc(t.calls, func(_ question, c *call) bool {
		if goes(c) {
			c.cancel()
			return true
		}
		return false
	})
	if len(t.calls) == 0 {
		delete(o.turns[app], t.key)
	}
}

// run ends all calls when ctx ends, and returns when they have ended.
func (o *calls) run(ctx context.Context) error {
	<-ctx.Done()
	o.mu.Lock()
	o.closed = true
	for app, turns := range o.turns {
		for _, t := range turns {
			o.drop(app, t, everyCall)
		}
	}
	if o.stopped != nil {
		close(o.stopped)
	}
	o.mu.Unlock()
	o.running.Wait()
	return nil
}

var errStopping = errors.New("this process is ending")
