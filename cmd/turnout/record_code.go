package main

import (
	"github.com/turnout-dev/turnout/bot/command"
)

// What a record shows, besides what it waits for and why it failed.
const (
	codeUsersHave      command.Code = "UsersHave"
	codeApproved       command.Code = "ApprovedGoesOn"
	codeApprovedLocked command.Code = "ApprovedWaits" // Because of the lock
)
