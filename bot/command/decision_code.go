package command

// Code names a fact for programs. Codes and the fields of [Args] are only added to.
type Code string

// Codes of decisions, wherever a command is typed.
const (
	CodeAskedBefore          Code = "AskedBefore"          // this very comment was executed by Release
	CodeAskedBeforeCancelled Code = "AskedBeforeCancelled" // this very comment cancelled Release
	CodeAskedBeforeLocked    Code = "AskedBeforeLocked"    // this very comment set the lock
	CodeAway                 Code = "Away"                 // received too late; Next is the command again
	CodeTriedTooLong         Code = "TriedTooLong"         // received in time, but not executed for too long
	CodeNoCommand            Code = "NoCommand"            // Next[0] is not a command, Next[1] lists them
	CodeOtherBranch          Code = "OtherBranch"          // the pull request merges into Base, not into Branch
	CodeNotMerged            Code = "NotMerged"
	CodeOtherCommit          Code = "OtherCommit"          // Typed is not Version, the pull request's commit
	CodeOtherCommitNoMerge   Code = "OtherCommitNotMerged" // Typed is not the pull request's commit: it has none yet

	CodeBeingLeft            Code = "BeingLeft" // a rollback from Version to Other is under way
	CodeBeingLeftNotCancel   Code = "BeingLeftNotCancelled"
	CodeBeingUndone          Code = "BeingUndone"
	CodeBeingUndoneAlready   Code = "BeingUndoneAlready"
	CodeSwitched             Code = "Switched" // users have it, and its release is not over
	CodeSwitching            Code = "Switching"
	CodePromoted             Code = "Promoted" // its canary goes on to Weight
	CodePromotedLocked       Code = "PromotedLocked"
	CodePromotedAlready      Code = "PromotedAlready" // by By
	CodeNoUsersYet           Code = "NoUsersYet"      // a canary that has no users is not promoted to Weight
	CodeNoSuchStep           Code = "NoSuchStep"      // Weight is not ahead of it
	CodeLiveAlready          Code = "LiveAlready"
	CodeApproved             Code = "Approved"      // it waited for the approval
	CodeApprovedEarly        Code = "ApprovedEarly" // its gate has not passed yet
	CodeApprovedLocked       Code = "ApprovedLocked"
	CodeApprovedAlready      Code = "ApprovedAlready"
	CodeSubmitted            Code = "Submitted" // a release begins, approved
	CodeSubmittedLocked      Code = "SubmittedLocked"
	CodeRolledBack           Code = "RolledBack" // by Release, By and At
	CodeFailedBefore         Code = "FailedBefore"
	CodeOvertaken            Code = "Overtaken" // by Other, which is under way
	CodeOlder                Code = "Older"     // than Live, which contains it
	CodeDiverged             Code = "Diverged"  // Version and Live do not contain each other
	CodeRetried              Code = "Retried"   // a new attempt begins, without approval
	CodeRetriedLocked        Code = "RetriedLocked"
	CodeRetriedRolledBack    Code = "RetriedRolledBack"
	CodeStillRunning         Code = "StillRunning"
	CodeStillRunningSwitched Code = "StillRunningSwitched"
	CodeNothingToRetry       Code = "NothingToRetry"

	CodeLeavingAlready  Code = "LeavingAlready"
	CodeLeftAlready     Code = "LeftAlready"     // Release rolled it back to Live
	CodeLeftMeanwhile   Code = "LeftMeanwhile"   // Release rolled it back after the application was read
	CodeNotLiveLeft     Code = "NotLiveLeft"     // Typed is not live; Release rolled back Version, which is
	CodeBackAtOnce      Code = "BackAtOnce"      // a rollback begins
	CodeBackOnceStarted Code = "BackOnceStarted" // a rollback begins; its pods must start first, Because
	CodeBackOnceSettled Code = "BackOnceSettled" // a rollback begins once the switch to Version is confirmed
	CodeBackIfHealthy   Code = "BackIfHealthy"   // a rollback asks the gate of Other first: Release changed the schema at At
	CodeWayClosed       Code = "WayClosed"       // a contract, Release, closed the way back to Other at At, Because
	CodePreviousUnknown Code = "PreviousUnknown"
	CodeNothingBefore   Code = "NothingBefore" // Release went back to Live
	CodeNeverSwitched   Code = "NeverSwitched"
	CodeMovedByOthers   Code = "MovedByOthers" // to Color
	CodeMixed           Code = "Mixed"         // users are on both colours; Next brings them from Version to Other
	CodeMixedNoWay      Code = "MixedNoWay"    // users are on both colours, and what they had before is not recorded
	CodeNothingLive     Code = "NothingLive"
	CodeLiveNotOurs     Code = "LiveNotOurs"
	CodeNotLive         Code = "NotLive"      // Live is; Next rolls it back
	CodeNotLiveNoWay    Code = "NotLiveNoWay" // Live is, and cannot be rolled back; More says why

	CodeCancelled        Code = "Cancelled"       // the release is being undone
	CodeCancelledByBack  Code = "CancelledByBack" // by /rollback
	CodeWithdrawn        Code = "Withdrawn"       // it is being undone, and some users have it
	CodeWithdrawnByBack  Code = "WithdrawnByBack" // by /rollback
	CodeUndoneByBack     Code = "UndoneByBack"    // it was being undone, and /rollback makes that one
	CodeCancelledAlready Code = "CancelledAlready"
	CodeTooLate          Code = "TooLate"
	CodeNothingToCancel  Code = "NothingToCancel" // Version ended in Phase; without Version there was none
	CodeOthersUnderWay   Code = "OthersUnderWay"  // nothing to cancel here; More lists other releases

	CodeLocked        Code = "Locked"
	CodeLockedAlready Code = "LockedAlready"
	CodeLockedSince   Code = "LockedSince"   // after the /unlock was written
	CodeUnlockedSince Code = "UnlockedSince" // after the /lock was written
	CodeUnlocked      Code = "Unlocked"
	CodeNotLocked     Code = "NotLocked"

	CodeNoContract        Code = "NoContract"        // the application has none
	CodeContractNotOurs   Code = "ContractNotOurs"   // Turnout did not release the live version
	CodeContractUnderWay  Code = "ContractUnderWay"  // by Release
	CodeContractSubmitted Code = "ContractSubmitted" // the contract of Version begins when nothing older runs
	CodeContractDeclared  Code = "ContractDeclared"  // Release is declared done
	CodeContractedAlready Code = "ContractedAlready"
	CodeContractOpen      Code = "ContractOpen"    // Release did not succeed: Next[0] runs it again, Next[1] declares it done
	CodeContractNotOpen   Code = "ContractNotOpen" // there is nothing to retry or to declare done
	CodeContractWhy       Code = "ContractWhy"     // the reason is missing

	CodeStatus Code = "Status" // shows the state
	CodeHelp   Code = "Help"
)

// Codes of what is said beside a decision, in [Args.More] and [Args.Because].
const (
	CodeBehindLock       Code = "BehindLock"
	CodeOtherRollback    Code = "OtherRollback"    // under way, to Other
	CodeOtherSwitched    Code = "OtherSwitched"    // under way, and can only be rolled back
	CodeOtherUnderWay    Code = "OtherUnderWay"    // under way, and can be cancelled
	CodeNotHeldTakenBack Code = "NotHeldTakenBack" // the lock does not stop it
	CodeNotHeldWatched   Code = "NotHeldWatched"
	CodeNotHeldSwitching Code = "NotHeldSwitching"
	CodeGoesOn           Code = "GoesOn" // it waited for the lock
	CodeGoesOnToApproval Code = "GoesOnToApproval"
	CodeNothingWaited    Code = "NothingWaited"
	CodeShrunk           Code = "Shrunk"     // Color was scaled down
	CodeStagedOver       Code = "StagedOver" // Version was staged on Color
	CodeNotLookedAt      Code = "NotLookedAt"
	CodeTooFewReady      Code = "TooFewReady"
	CodeContractRuns     Code = "ContractRuns"
	CodeContractDone     Code = "ContractDone"
	CodeContractFailed   Code = "ContractFailed"
	CodeContractUnknown  Code = "ContractUnknown"
	CodeContractEarlier  Code = "ContractEarlier" // an earlier one than Release, which changed nothing
)
