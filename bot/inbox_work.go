package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Limits of handling one delivery.
const (
	// attemptTime is how long one attempt may take.
	attemptTime = 2 * time.Minute

	// giveUp is the age at which a failing delivery is given up.
	giveUp = 24 * time.Hour
	// fatal is how many attempts may end the process, or panic. One end proves nothing: the
	// delivery may just have been under way when something else killed the process.
	fatal = 3
	// lastWord is how long recording the end of an attempt may take, even while the process
	// stops.
	lastWord = 5 * time.Second
)

// Work handles a delivery if it is due. It records each attempt before it begins and after
// it ends, so the next process notices an attempt that ended the process. Only one process
// should run it; if two do, the work still happens once. The first attempt at a push that this
// process has just stored is recorded only at its end: if it ends the process, the next one
// records its own.
//
// Deliveries are handled concurrently. Those that were running when a process ended are
// handled one at a time: if the process ends again, it is clear which one ran, and no other
// goes into quarantine. Pushes wait for their turn: 5 at once, then 5 a second.
//
// again, if positive, is when to call it again. An error means that Kubernetes did not
// answer: call again later. After a [v1alpha1.NewerFormatError] that does not help, since
// the delivery belongs to a newer version.
func (in *Inbox) Work(ctx context.Context, name string) (again time.Duration, err error) {
	if strings.HasPrefix(name, ofPush+"-") { // before it is read: many may wait
		if wait := in.pushes.wait(name, time.Now()); wait > 0 {
			return wait, nil
		}
	}
	d, err := in.Deliveries.Get(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if newer, ok := errors.AsType[*v1alpha1.NewerFormatError](err); ok {
		in.Log.ErrorContext(ctx, "delivery is left to a newer version", "name", name, "error", newer)
	}
	if err != nil {
		return 0, fmt.Errorf("reading the delivery %s: %w", name, err)
	}
	s := &d.Status
	if s.Phase.Finished() {
		return 0, nil
	}
	if wait := wait(s.NextAt); wait > 0 {
		return wait, nil
	}
	if s.Deaths > 0 || s.Running != "" && s.Running != in.Holder {
		if !in.suspects.TryLock() {
			return in.backoff(1), nil
		}
		defer in.suspects.Unlock()
	}
	if s.Running != "" && s.Running != in.Holder {
		s.Deaths++
		in.Log.WarnContext(ctx, "a process ended during an attempt at a delivery", "name", name, "process", s.Running, "deaths", s.Deaths)
	}
	if s.Deaths >= fatal {
		return 0, in.finish(ctx, d, v1alpha1.DeliveryQuarantined)
	}
	s.Phase, s.NextAt, s.Running = v1alpha1.DeliveryPending, nil, in.Holder
	s.Attempts++
	if _, _, fresh := in.stored.get(name, storedFor); fresh && s.Attempts == 1 {
		return in.settle(ctx, d, in.attempt(ctx, d))
	}
	err = in.Deliveries.Update(ctx, d)
	if errors.Is(err, ErrRace) || errors.Is(err, ErrNotFound) {
		return in.backoff(1), nil
	}
	if err != nil {
		return 0, fmt.Errorf("beginning an attempt at the delivery %s: %w", name, err)
	}
	return in.settle(ctx, d, in.attempt(ctx, d))
}

// wait is the time until at; 0 if at is nil.
func wait(at *metav1.MicroTime) time.Duration {
	if at == nil {
		return 0
	}
	return time.Until(at.Time)
}

// panicked is a panic during an attempt. It counts against the delivery, not against the
// process.
type panicked struct {
	value any
	stack []byte
}

// Error implements error. The panic's value may contain anything from outside.
func (p *panicked) Error() string {
	return fmt.Sprintf("it panicked: %s", prose.OneLine(fmt.Sprint(p.value)))
}

// attempt handles a delivery once.
func (in *Inbox) attempt(ctx context.Context, d *v1alpha1.Delivery) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v, debug.Stack()}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	switch {
	case d.Spec.Push != nil:
		return in.push(ctx, d)
	case d.Spec.Comment != nil:
		return in.comment(ctx, d)
	}
	return nil
}

// settle records how an attempt ended. If that write fails, the same process repeats the
// attempt, which does not count as a death.
func (in *Inbox) settle(ctx context.Context, d *v1alpha1.Delivery, failed error) (again time.Duration, err error) {
	stopping := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	s := &d.Status
	s.Running = ""
	if failed == nil {
		s.Error = ""
		return 0, in.finish(ctx, d, v1alpha1.DeliveryDone)
	}
	s.Error = prose.Characters(prose.OneLine(failed.Error()), v1alpha1.MaxDeliveryError)
	again = in.backoff(s.Attempts)
	if limit, limited := githubapp.RetryAfter(failed, time.Now()); limited {
		s.Limited, again = true, max(again, limit)
	}
	if early := (*tooEarly)(nil); errors.As(failed, &early) {
		again = early.wait
	}
	if p := (*panicked)(nil); errors.As(failed, &p) {
		s.Deaths++
		in.Log.ErrorContext(ctx, "handling a delivery panicked", "name", d.Name, "deaths", s.Deaths, "stack", string(p.stack))
	}
	switch {
	case s.Deaths >= fatal:
		return 0, in.finish(ctx, d, v1alpha1.DeliveryQuarantined)
	case time.Since(d.Spec.ReceivedAt.Time) > giveUp:
		return 0, in.finish(ctx, d, v1alpha1.DeliveryGaveUp)
	case stopping: // the next process continues at once
		again = 0
	}
	s.NextAt = &metav1.MicroTime{Time: time.Now().Add(again)}
	in.Log.WarnContext(ctx, "delivery is tried again", "name", d.Name, "attempts", s.Attempts, "in", again.String(), "error", failed)
	return again, in.write(ctx, d)
}

// finish records that a delivery is finished. It removes the comment's text: the name is
// enough to recognise the delivery.
func (in *Inbox) finish(ctx context.Context, d *v1alpha1.Delivery, phase v1alpha1.DeliveryPhase) error {
	now := metav1.Now()
	d.Status.Phase, d.Status.Running, d.Status.NextAt, d.Status.FinishedAt = phase, "", nil, &now
	if c := d.Spec.Comment; c != nil && phase == v1alpha1.DeliveryDone {
		c.Body = ""
	}
	if err := in.write(ctx, d); err != nil {
		return err
	}
	if phase != v1alpha1.DeliveryDone {
		in.Log.ErrorContext(ctx, "delivery is not handled", "name", d.Name, "phase", phase, "attempts", d.Status.Attempts, "error",
			d.Status.Error)
	}
	if in.Settled != nil {
		in.Settled(d)
	}
	return nil
}

func (in *Inbox) write(ctx context.Context, d *v1alpha1.Delivery) error {
	err := in.Deliveries.Update(ctx, d)
	if errors.Is(err, ErrRace) || errors.Is(err, ErrNotFound) {
		return nil // somebody else took it over or deleted it
	}
	if err != nil {
		return fmt.Errorf("writing down how an attempt at the delivery %s ended: %w", d.Name, err)
	}
	return nil
}
