package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// lock carries out a /lock. After an unlock no object has the comment of the lock any more,
// so its intent is recorded in the delivery. An attempt that finds the intent does not lock
// again what was unlocked since.
func (x execution) lock(ctx context.Context, r *responder, s command.Situation, d command.Decision) error {
	app := key(s.App.Namespace, s.App.Name)
	if at := s.App.Status.UnlockedAt; at != nil && r.intendedBefore(at.Time) {
		return r.answer(ctx, command.Fact{Code: command.CodeUnlockedMeanwhile, Args: command.Args{Application: app.Name}})
	}
	if err := r.intend(ctx); err != nil {
		return err
	}
	err := x.in.Record.Lock(ctx, app, *d.Lock)
	if errors.Is(err, ErrSet) {
		return x.lockedMeanwhile(ctx, r, s)
	}
	return x.written(ctx, r, s, outcome{err, "locking " + app.String(), d.Fact})
}

// unlock carries out an /unlock. An attempt that finds an earlier intent does not remove a
// lock that was set since.
func (x execution) unlock(ctx context.Context, r *responder, s command.Situation) error {
	app := key(s.App.Namespace, s.App.Name)
	if l := s.App.Status.Lock; l != nil && r.intendedBefore(l.At.Time) {
		return r.answer(ctx, command.LockedAlready(s, l).Fact)
	}
	if err := r.intend(ctx); err != nil {
		return err
	}
	was, err := x.in.Record.Unlock(ctx, app, s.By)
	if err == nil && was == nil {
		return r.answer(ctx, command.Fact{Code: command.CodeUnlockedByOther, Args: command.Args{Application: app.Name}})
	}
	var said command.Fact
	if was != nil { // it may have changed by now
		said = command.Unlocked(s, was).Fact
	}
	return x.written(ctx, r, s, outcome{err, "unlocking " + app.String(), said})
}

// intendedBefore reports whether an earlier attempt was about to execute the command before
// something else happened. The record keeps whole seconds.
func (r *responder) intendedBefore(at time.Time) bool {
	intent := r.d.Status.ActIntendedAt
	return intent != nil && !at.Before(intent.Truncate(time.Second))
}

// intend records that a command is about to be executed.
func (r *responder) intend(ctx context.Context) error {
	if r.d.Status.ActIntendedAt != nil {
		return nil
	}
	return r.record(ctx, func(s *v1alpha1.DeliveryStatus) { s.ActIntendedAt = microNow() })
}

// lockedMeanwhile answers a /lock that lost against another one.
func (x execution) lockedMeanwhile(ctx context.Context, r *responder, s command.Situation) error {
	app, err := x.in.Record.Application(ctx, key(s.App.Namespace, s.App.Name))
	if err != nil {
		return fmt.Errorf("reading who locked %s/%s: %w", s.App.Namespace, s.App.Name, err)
	}
	said := command.Fact{Code: command.CodeLockedAndUnlocked, Args: command.Args{Application: s.App.Name}}
	if l := app.Status.Lock; l != nil {
		said = command.LockedAlready(s, l).Fact
	}
	return r.answer(ctx, said)
}
