package main

import (
	"github.com/turnout-dev/turnout/bot/command"
)

// Codes of what a record shows, beside what it waits for and why it failed.
const (
	codeUsersHave      command.Code = "UsersHave"
	codeApproved       command.Code = "ApprovedGoesOn"
	codeApprovedLocked command.Code = "ApprovedWaits" // Because has the lock
)
