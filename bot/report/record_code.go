package report

import "github.com/turnout-dev/turnout/bot/command"

// What the record says of a release in other facts than those of its wait and its
// failure, see [WaitingCode] and [FailureCode].
const (
	CodeFailed  command.Code = "Failed"  // Reason says why
	CodeMessage command.Code = "Message" // Reason says it, in a record without facts
)
