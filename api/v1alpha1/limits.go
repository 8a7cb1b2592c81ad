package v1alpha1

// Lengths in characters that the schema allows, for code that shortens texts. A test
// compares them with the schema.
const (
	MaxLockReason = 500 // Lock.reason

	// Of a Delivery:
	MaxDeliveryID    = 80  // spec.delivery
	MaxDeliveryEvent = 40  // spec.event
	MaxDeliveryLogin = 100 // the actor of a push, the author of a comment
	MaxDeliveryURL   = 500 // of a push or a comment
	MaxDeliveryError = 500 // status.error
	MaxExecuted      = 200 // status.executed: enough for a verb, a namespace and a name

	// MaxCommentBody is the longest comment whose body is kept.
	MaxCommentBody = 8 << 10
)
