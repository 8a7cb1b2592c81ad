package track

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// News is what the controller of an Ingress has reported since a given moment. Silence means
// nothing: events get lost, and a controller may emit only so many.
type News struct {
	// Now marks this observation, for the next one.
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
	// Warnings and Normals are how much of the controller's event budgets is in use, as far as
	// its events show; see [Budget].
	Warnings, Normals int
}

// Budget is how many events of one type a controller may emit about an object in a burst. Refill
// is the time until it may emit another (client-go tools/record/events_cache.go). Every edit by
// anybody uses it up.
const (
	Budget = 25
	Refill = 5 * time.Minute
)

// scarce is the used budget from which pokes become rare.
const scarce = Budget - 5

// RarePokes is the minimum time between two pokes, by any application, when the controller's
// event budget is nearly used up; 0 otherwise.
func (n News) RarePokes(settle time.Duration) time.Duration {
	if n.Normals < scarce {
		return 0
	}
	if settle == 0 {
		settle = v1alpha1.DefaultSettle
	}
	return 2 * settle
}

// UrgeAt is when to poke a controller that fails on routes unchanged since a given time. The
// controller retries by itself at growing intervals, and at once after an edit. Pokes also come
// at growing intervals.
func (n News) UrgeAt(since, poked time.Time, settle time.Duration) time.Time {
	if settle == 0 {
		settle = v1alpha1.DefaultSettle
	}
	if !poked.After(since) {
		return since.Add(settle / 6)
	}
	return poked.Add(max(min(max(poked.Sub(since), settle/6), 2*settle), n.RarePokes(settle)))
}
