package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
)

// How often the sweep looks for lost events. Deliveries cost one request, and come so often
// that a command is still in time if Kubernetes could not store it at first. Branches cost
// one request each, and come seldom.
const (
	defaultSweep = 4 * time.Minute
	headsEvery   = time.Hour
)

const (
	// sweepAgain is how far a sweep looks back behind its last success: GitHub lists a delivery
	// only once it has given it up, after 10 s, or 30 s on an Enterprise Server, and its clock
	// is not ours.
	sweepAgain = 10 * time.Minute
	// maxRest is how many parts of the list may wait for the next sweep.
	maxRest = 20
)

// Sweep recovers what a webhook lost, since GitHub never redelivers by itself. It puts the
// stored payload of every delivery without a 202 into the inbox, and submits the head of
// every branch that has no release. Only the leader needs to run one.
type Sweep struct {
	GitHub *githubapp.Client
	Record Record
	Inbox  *Inbox
	// Every is the time between two looks at the deliveries. Default: 4 minutes. Branches
	// are checked every hour.
	Every time.Duration
	Log   *slog.Logger

	swept   time.Time                  // everything lost before this time is recovered or in rest; owned by Run
	rest    []githubapp.Stretch        // what no sweep has read; owned by Run
	handled expiring[string, struct{}] // GUIDs: a failed delivery stays listed
}

// Run sweeps at once and then regularly, until ctx ends. It logs failures; the next sweep
// repeats the work.
func (s *Sweep) Run(ctx context.Context) error {
	every := s.Every
	if every <= 0 {
		every = defaultSweep
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	var branches time.Time // when they were last checked
	for {
		err := errors.Join(s.deliveries(ctx), s.Inbox.Tidy(ctx))
		if time.Since(branches) >= headsEvery {
			err, branches = errors.Join(err, s.branches(ctx)), time.Now()
		}
		if err != nil {
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
	return errors.Join(s.deliveries(ctx), s.branches(ctx), s.Inbox.Tidy(ctx))
}

// deliveries recovers failed deliveries, oldest first.
func (s *Sweep) deliveries(ctx context.Context) error {
	now := time.Now()
	since := now.Add(-v1alpha1.ReplayedFor)
	if again := s.swept.Add(-sweepAgain); again.After(since) {
		since = again
	}
	lost, rest, err := s.GitHub.LostDeliveries(ctx, since, s.rest)
	errs := []error{err}
	if err != nil {
		for i := range s.rest {
			s.rest[i] = s.rest[i].Whole()
		}
	}
	for _, d := range lost {
		if _, _, done := s.handled.get(d.GUID, v1alpha1.ReplayedFor); done {
			continue
		}
		if err := s.recover(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("recovering the delivery %s: %w", d.GUID, err))
			continue
		}
		s.handled.put(d.GUID, struct{}{})
	}
	if len(rest) > maxRest {
		s.Log.WarnContext(ctx, "more webhooks arrive than the sweep can read; lost comments may not be found", "since", rest[maxRest].Since)
		rest = rest[:maxRest]
	}
	if err := errors.Join(errs...); err != nil { // the next sweep looks at everything again
		return err
	}
	s.swept, s.rest = now, rest
	return nil
}

// recover puts the stored payload of one delivery into the inbox. It has no signature, but
// comes from an API that only the App's own key opens.
func (s *Sweep) recover(ctx context.Context, d githubapp.LostDelivery) error {
	payload, err := s.GitHub.DeliveryPayload(ctx, d.ID)
	if err != nil {
		return err
	}
	e, err := Decode(d.Event, d.GUID, payload)
	if err != nil {
		s.Log.WarnContext(ctx, "stored delivery does not decode", "delivery", d.GUID, "event", d.Event)
		return nil //nolint:nilerr // it will never decode
	}
	if err := s.Inbox.Handle(ctx, e); err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "delivery recovered", "delivery", d.GUID, "event", e.Name)
	return nil
}

// branches submits the head of every application's branch that has no release. It skips an
// application without releases: that was adopted as it is, and nobody has merged since.
func (s *Sweep) branches(ctx context.Context) error {
	apps, err := s.Record.Applications(ctx, "", 0)
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
	releases, err := s.Record.Work(ctx, key(app.Namespace, app.Name))
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
