package v1alpha1

// Lengths in characters that the schema allows, for those who cut a text to fit. A test
// compares them with the schema.
const (
	MaxLockReason = 500 // Lock.reason

	// Of a Delivery:
	MaxDeliveryID    = 80  // spec.delivery
	MaxDeliveryEvent = 40  // spec.event
	MaxDeliveryLogin = 100 // the actor of a push, the author of a comment
	MaxDeliveryURL   = 500 // of a push or a comment
	MaxDeliveryError = 500 // status.error
	MaxExecuted      = 200 // status.executed: more than a verb, a namespace and a name need

	// MaxCommentBody is the length of a comment up to which its body is kept.
	MaxCommentBody = 8 << 10
)
