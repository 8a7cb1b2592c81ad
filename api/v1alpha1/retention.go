package v1alpha1

import "time"

// How long the record of something finished is kept at least.
const (
	// ReplayedFor is how long GitHub can deliver a webhook again: 3 days on github.com,
	// 7 on an Enterprise Server (GitHub docs, "Redelivering webhooks").
	ReplayedFor = 7 * 24 * time.Hour

	// KeptFor is how long finished releases and handled deliveries are kept: a webhook
	// that is delivered again meets what it caused. It is a day more than ReplayedFor.
	KeptFor = ReplayedFor + 24*time.Hour
)
