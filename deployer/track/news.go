package track

import "time"

// News is what the controller of an Ingress said of it since some moment. That
// it said nothing means nothing: events are lost, and a controller has a budget
// of them.
type News struct {
	// Now is the moment of this look, for the next one.
	Now string
	// URLMapUpdated: the load balancer's routes were replaced.
	URLMapUpdated bool
	// Translate is why the Ingress could not be translated; empty if that was not
	// said. TranslateAt is when it was said last, by the controller's clock.
	Translate   string
	TranslateAt time.Time
	// Sync is why the load balancer could not be programmed; it is tried again. SyncAt
	// is when it was said last.
	Sync   string
	SyncAt time.Time
	// Warnings and Normals are how much of the controller's budgets is in use, as far
	// as its events tell, see [Budget].
	Warnings, Normals int
}

// Budget is how many events of one type a controller may make of an object in a row,
// and refill is after how long it may make another one (client-go
// tools/record/events_cache.go). Everybody's edits spend them.
const (
	Budget = 25
	Refill = 5 * time.Minute
)

// scarce is how much of the budget must be in use that pokes are made rarely.
const scarce = Budget - 5

// RarePokes is how long after a poke of this or another application the next one may
// come that is not due yet for what its controller has made of its budget of events;
// 0 if there is enough left.
func (n News) RarePokes(settle time.Duration) time.Duration {
	if n.Normals < scarce {
		return 0
	}
	if settle == 0 {
		settle = DefaultSettle
	}
	return 2 * settle
}

// UrgeAt is when a controller that failed at the routes, which are as they are since
// some time, is to be urged by a poke: it tries again by itself later and later, and at
// once after an edit. Pokes come later and later, too.
func (n News) UrgeAt(since, poked time.Time, settle time.Duration) time.Time {
	if settle == 0 {
		settle = DefaultSettle
	}
	if !poked.After(since) {
		return since.Add(settle / 6)
	}
	return poked.Add(max(min(max(poked.Sub(since), settle/6), 2*settle), n.RarePokes(settle)))
}
