package deployer

import (
	"log/slog"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// work is one look at one application.
type work struct {
	log      *slog.Logger
	bg       *v1alpha1.BlueGreen
	before   *v1alpha1.BlueGreen // as last written
	o        track.Observed
	releases []v1alpha1.Release // newest first
	wake     time.Time          // when to look again; zero: at the next change
	// barred is why nothing may be asked of the repository; nil if it may.
	barred error
	// granted are the namespace's grants.
	granted v1alpha1.Grants
	// revoked: the namespace lacks a grant that the application needs.
	revoked bool
	// identified: the repository is the pinned one.
	identified bool
	turn       *turn // of the queue: its calls to the world outside
}

// active returns the unfinished release that the claim names. A claim of a finished or missing
// release is void.
func (w *work) active() *v1alpha1.Release {
	rel := claimedOf(w.bg.Status.Active, w.releases)
	if rel == nil {
		w.bg.Status.Active = nil
	}
	return rel
}

// claimedOf is the unfinished release that a claim names; nil if there is none.
func claimedOf(c *v1alpha1.Claim, releases []v1alpha1.Release) *v1alpha1.Release {
	for i := range releases {
		if c != nil && string(releases[i].UID) == c.UID && !releases[i].Status.Phase.Finished() {
			return &releases[i]
		}
	}
	return nil
}

func (w *work) wakeAt(t time.Time) {
	if w.wake.IsZero() || t.Before(w.wake) {
		w.wake = t
	}
}

func (w *work) again() time.Duration {
	if w.wake.IsZero() {
		return safetyNet
	}
	return max(time.Until(w.wake), time.Millisecond)
}

func (w *work) waiting(but *v1alpha1.Release) (deploys, rollbacks []*v1alpha1.Release) {
	return waitingOf(w.releases, but)
}

// safetyNet is the longest time between two looks if no watch reports a change.
const safetyNet = 5 * time.Minute

const (
	// lookAtErrors is when to look again at an application with errors, if no watch reports a
	// fix.
	lookAtErrors = 30 * time.Second
	// retryPreflight is when to retry facts that could not be read.
	retryPreflight = 15 * time.Second
)

// afterRace is when to look again after a lost race. The other's write wakes us as well, but
// users may be waiting for a switch. Even if every race is lost, that is at most twenty looks a
// second.
const afterRace = 50 * time.Millisecond
