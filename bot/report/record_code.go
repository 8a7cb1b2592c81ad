package report

import "github.com/turnout-dev/turnout/bot/command"

// Codes of what a record says beside its wait and its failure, see [WaitingCode] and
// [FailureCode].
const (
	CodeFailed  command.Code = "Failed"  // Reason has the record's text
	CodeMessage command.Code = "Message" // Reason has the text of a record without facts
)
