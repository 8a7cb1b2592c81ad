package main

import "github.com/turnout-dev/turnout/bot"

// What is decided here alone: which release a command without a name means, and what
// is under way already. Everything else is the bot's to decide.
const (
	codeUnderWay         bot.Code = "UnderWay" // Release of Version is, asked for by By
	codeIsLive           bot.Code = "IsLive"
	codeReleasedBefore   bot.Code = "ReleasedBefore" // as Release, which ended in Phase
	codeNotNewest        bot.Code = "NotNewest"      // Release is not, Releases[0] is
	codeNoneWaits        bot.Code = "NoneWaits"
	codeNoneUnderWay     bot.Code = "NoneUnderWay"
	codeSeveralUnderWay  bot.Code = "SeveralUnderWay" // Releases
	codeNoSuchRelease    bot.Code = "NoSuchRelease"
	codeNothingToApprove bot.Code = "NothingToApprove" // Release is a rollback
	codeNoVersionLive    bot.Code = "NoVersionLive"
	codeLiveIsForeign    bot.Code = "LiveIsForeign"
	codeRollbackUnderWay bot.Code = "RollbackUnderWay"
	codeRollbackGoesOn   bot.Code = "RollbackGoesOn" // it is not cancelled
	codeEndedAlready     bot.Code = "EndedAlready"   // Release, in Phase
)
