package track

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// News is what the controller of an Ingress has reported about it since a given moment.
// Silence means nothing: events get lost, and a controller has a budget of them.
type News struct {
	// Now is the moment of this look, for the next one.
	Now string
	// URLMapUpdated: the controller replaced the load balancer's routes.
	URLMapUpdated bool
	// Translate is why the controller could not translate the Ingress; empty if it did not
	// report that. TranslateAt is the time of the last report, by the controller's clock.
	Translate   string
	TranslateAt time.Time
	// Sync is why the controller could not program the load balancer; it tries again.
	// SyncAt is the time of the last report.
	Sync   string
	SyncAt time.Time
	// Warnings and Normals are how much of the controller's budgets is in use, as far as
	// its events show, see [Budget].
	Warnings, Normals int
}

// Budget is how many events of one type a controller may emit about an object in a row,
// and Refill is the time until it may emit another one (client-go
// tools/record/events_cache.go). Everybody's edits use it up.
const (
	Budget = 25
	Refill = 5 * time.Minute
)

// scarce is how much of the budget must be in use before pokes become rare.
const scarce = Budget - 5

// RarePokes is the least time from one poke, of this or another application, to the next,
// if the controller's budget of events is nearly used up; 0 if there is enough left.
func (n News) RarePokes(settle time.Duration) time.Duration {
	if n.Normals < scarce {
		return 0
	}
	if settle == 0 {
		settle = v1alpha1.DefaultSettle
	}
	return 2 * settle
}

// UrgeAt is when to poke a controller that fails at the routes, which have not changed since
// a given time. It tries again by itself at growing intervals, and at once after an edit.
// Pokes also come at growing intervals.
func (n News) UrgeAt(since, poked time.Time, settle time.Duration) time.Time {
	if settle == 0 {
		settle = v1alpha1.DefaultSettle
	}
	if !poked.After(since) {
		return since.Add(settle / 6)
	}
	return poked.Add(max(min(max(poked.Sub(since), settle/6), 2*settle), n.RarePokes(settle)))
}
