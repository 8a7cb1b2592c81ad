package main

import (
	"github.com/turnout-dev/turnout/bot/command"
)

// Codes of decisions made only here: which release a command without a name means, and what
// is under way already. Package command decides everything else.
const (
	codeUnderWay          command.Code = "UnderWay" // Release of Version is under way, asked for by By
	codeIsLive            command.Code = "IsLive"
	codeReleasedBefore    command.Code = "ReleasedBefore" // it was Release, which ended in Phase
	codeNotNewest         command.Code = "NotNewest"      // Release is not the newest, Releases[0] is
	codeNoneWaits         command.Code = "NoneWaits"
	codeNoneUnderWay      command.Code = "NoneUnderWay"
	codeSeveralUnderWay   command.Code = "SeveralUnderWay" // Releases
	codeNoSuchRelease     command.Code = "NoSuchRelease"
	codeNothingToApprove  command.Code = "NothingToApprove" // Release is a rollback
	codeNoVersionLive     command.Code = "NoVersionLive"
	codeLiveIsForeign     command.Code = "LiveIsForeign"
	codeRollbackUnderWay  command.Code = "RollbackUnderWay"
	codeRollbackGoesOn    command.Code = "RollbackGoesOn"    // it cannot be cancelled
	codeEndedAlready      command.Code = "EndedAlready"      // Release, in Phase
	codeContractCancelled command.Code = "ContractCancelled" // Release, if it has not begun
)
