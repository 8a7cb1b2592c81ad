package main

import "github.com/turnout-dev/turnout/bot"

// What a record shows, besides what it waits for and why it failed.
const (
	codeUsersHave      bot.Code = "UsersHave"
	codeApproved       bot.Code = "ApprovedGoesOn"
	codeApprovedLocked bot.Code = "ApprovedWaits" // Because of the lock
)
