package v1alpha1

import "time"

// How long finished things stay in the record, at least.
const (
	// ReplayedFor is how long GitHub can deliver a webhook again: 3 days on github.com,
	// 7 on an Enterprise Server (GitHub docs, "Redelivering webhooks").
	ReplayedFor = 7 * 24 * time.Hour

	// KeptFor is how long finished releases and handled deliveries are kept, so that a
	// redelivered webhook finds them. It is a day more than ReplayedFor.
	KeptFor = ReplayedFor + 24*time.Hour
)
