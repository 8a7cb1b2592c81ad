package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// defaultSweep is how often lost events are looked for.
const defaultSweep = time.Hour

// sweepBack is how far back deliveries are looked at: GitHub keeps them 3 days,
// an Enterprise Server 7 (GitHub docs, "Redelivering webhooks").
const sweepBack = 7 * 24 * time.Hour

// Sweep recovers what a webhook lost, since GitHub never delivers again by
// itself: it handles the stored payload of every delivery that no attempt
// brought to an end, and submits the head of every branch that has no release.
// Only the leader needs to run one.
type Sweep struct {
	GitHub *GitHub
	Record Record
	Inbox  *Inbox
	// Every is the time from one sweep to the next. Default: an hour.
	Every time.Duration
	Log   *slog.Logger

	handled map[string]time.Time // by GUID: a failed delivery stays listed; owned by Run
}

// Run sweeps at once and then regularly, until ctx ends. What fails is logged and
// swept up the next time.
func (s *Sweep) Run(ctx context.Context) error {
	every := s.Every
	if every <= 0 {
		every = defaultSweep
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		if err := s.Once(ctx); err != nil {
			s.Log.WarnContext(ctx, "sweep incomplete", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// Once sweeps once. It does as much as it can and returns what went wrong.
func (s *Sweep) Once(ctx context.Context) error {
	return errors.Join(s.deliveries(ctx), s.heads(ctx))
}

// deliveries handles those that failed, oldest first.
func (s *Sweep) deliveries(ctx context.Context) error {
	lost, err := s.GitHub.lostDeliveries(ctx, time.Now().Add(-sweepBack))
	if err != nil {
		return err
	}
	if s.handled == nil {
		s.handled = map[string]time.Time{}
	}
	for guid, at := range s.handled {
		if time.Since(at) > sweepBack {
			delete(s.handled, guid)
		}
	}
	var errs []error
	for _, d := range lost {
		if _, done := s.handled[d.guid]; done {
			continue
		}
		if err := s.recover(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("recovering the delivery %s: %w", d.guid, err))
			continue
		}
		s.handled[d.guid] = time.Now()
	}
	return errors.Join(errs...)
}

// recover handles the stored payload of one delivery. It carries no signature,
// but comes from an API that only the App's own key opens.
func (s *Sweep) recover(ctx context.Context, d lostDelivery) error {
	payload, err := s.GitHub.deliveryPayload(ctx, d.id)
	if err != nil {
		return err
	}
	e, err := Decode(d.event, d.guid, payload)
	if err != nil {
		s.Log.WarnContext(ctx, "stored delivery does not decode", "delivery", d.guid, "event", d.event)
		return nil //nolint:nilerr // it will never decode; asking again helps nobody
	}
	if e.Comment != nil {
		answered, err := s.answered(ctx, *e.Comment)
		if err != nil || answered {
			return err
		}
	}
	if err := s.Inbox.Handle(ctx, e); err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "delivery recovered", "delivery", d.guid, "event", e.Name)
	return nil
}

// answered reports whether a command was answered before the process that did so
// ended, or is none: reactions are the memory that survives it.
func (s *Sweep) answered(ctx context.Context, c Comment) (bool, error) {
	command, err := ParseCommand(c.Body)
	if command == nil && err == nil {
		return true, nil
	}
	apps, err := s.Record.Applications(ctx, c.Repository)
	if err != nil || len(apps) == 0 {
		return true, err
	}
	own, err := s.GitHub.Reactions(ctx, c.Repository, c.ID)
	if refusedForGood(err) { // the comment was deleted
		return true, nil
	}
	return own[reactionDone]+own[reactionRefused]+own[reactionNothing] > 0, err
}

// heads submits the head of every application's branch that has no release. An
// application without any release is left alone: it was adopted as it is, and
// nobody has merged since.
func (s *Sweep) heads(ctx context.Context) error {
	apps, err := s.Record.Applications(ctx, "")
	if err != nil {
		return fmt.Errorf("listing the applications: %w", err)
	}
	var errs []error
	for i := range apps {
		if err := s.head(ctx, &apps[i]); err != nil {
			errs = append(errs, fmt.Errorf("sweeping %s/%s: %w", apps[i].Namespace, apps[i].Name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Sweep) head(ctx context.Context, app *v1alpha1.BlueGreen) error {
	releases, err := s.Record.Releases(ctx, key(app.Namespace, app.Name))
	if err != nil || len(releases) == 0 {
		return err
	}
	head, err := s.GitHub.Head(ctx, app.Spec.Repository, app.Spec.Branch)
	if err != nil || head == "" {
		return err
	}
	released := slices.ContainsFunc(releases, func(rel v1alpha1.Release) bool {
		return rel.Spec.Deploy != nil && rel.Spec.Deploy.Commit == head
	})
	if live := app.Status.Live; released || (live != nil && live.Commit == head) {
		return nil
	}
	return s.Inbox.submitPush(ctx, app, head, v1alpha1.Cause{Kind: v1alpha1.CausePush})
}
