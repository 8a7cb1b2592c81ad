package bot

// What the record says of a release in other facts than those of its wait and its
// failure, see [WaitingCode] and [FailureCode].
const (
	CodeFailed  Code = "Failed"  // Reason says why
	CodeMessage Code = "Message" // Reason says it, in a record without facts
)
