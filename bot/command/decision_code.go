package command

// Code names a fact for programs. Codes and the fields of [Args] are only added to.
type Code string

// What may be decided, wherever a command is typed.
const (
	CodeAskedBefore          Code = "AskedBefore"          // this very comment was executed by Release
	CodeAskedBeforeCancelled Code = "AskedBeforeCancelled" // this very comment cancelled Release
	CodeAskedBeforeLocked    Code = "AskedBeforeLocked"    // this very comment set the lock
	CodeAway                 Code = "Away"                 // received too long after it was written; Next is the command again
	CodeTriedTooLong         Code = "TriedTooLong"         // received in time, but not executed for too long
	CodeNoCommand            Code = "NoCommand"            // Next[0] is none, Next[1] lists them
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
	CodeLiveAlready          Code = "LiveAlready"
	CodeApproved             Code = "Approved"      // it waited for that
	CodeApprovedEarly        Code = "ApprovedEarly" // its gate has not passed yet
	CodeApprovedLocked       Code = "ApprovedLocked"
	CodeApprovedAlready      Code = "ApprovedAlready"
	CodeSubmitted            Code = "Submitted" // a release begins, approved
	CodeSubmittedLocked      Code = "SubmittedLocked"
	CodeRolledBack           Code = "RolledBack" // by Release, By and At
	CodeFailedBefore         Code = "FailedBefore"
	CodeOvertaken            Code = "Overtaken" // by Other, which is under way
	CodeOlder                Code = "Older"     // than Live, which contains it
	CodeDiverged             Code = "Diverged"  // from Live
	CodeRetried              Code = "Retried"   // an attempt begins; nobody has approved it
	CodeRetriedLocked        Code = "RetriedLocked"
	CodeRetriedRolledBack    Code = "RetriedRolledBack"
	CodeStillRunning         Code = "StillRunning"
	CodeStillRunningSwitched Code = "StillRunningSwitched"
	CodeNothingToRetry       Code = "NothingToRetry"

	CodeLeavingAlready  Code = "LeavingAlready"
	CodeLeftAlready     Code = "LeftAlready"     // Live took its place, by Release
	CodeLeftMeanwhile   Code = "LeftMeanwhile"   // by Release, since the application was read
	CodeNotLiveLeft     Code = "NotLiveLeft"     // Typed is not live, and Version, which is, was left by Release
	CodeBackAtOnce      Code = "BackAtOnce"      // a rollback begins
	CodeBackOnceStarted Code = "BackOnceStarted" // a rollback begins, whose pods have to be started Because
	CodeBackOnceSettled Code = "BackOnceSettled" // a rollback begins once the switch to Version is confirmed
	CodePreviousUnknown Code = "PreviousUnknown"
	CodeNothingBefore   Code = "NothingBefore" // Live was gone back to, by Release
	CodeNeverSwitched   Code = "NeverSwitched"
	CodeMovedByOthers   Code = "MovedByOthers" // to Color
	CodeNothingLive     Code = "NothingLive"
	CodeLiveNotOurs     Code = "LiveNotOurs"
	CodeNotLive         Code = "NotLive"      // Live is; Next leaves it
	CodeNotLiveNoWay    Code = "NotLiveNoWay" // Live is, and cannot be left; More says why

	CodeCancelled        Code = "Cancelled"       // it is being undone
	CodeCancelledByBack  Code = "CancelledByBack" // by /rollback
	CodeCancelledAlready Code = "CancelledAlready"
	CodeTooLate          Code = "TooLate"
	CodeNothingToCancel  Code = "NothingToCancel" // Version has ended in Phase; there is none without Version
	CodeOthersUnderWay   Code = "OthersUnderWay"  // nothing to cancel here; More says what there is elsewhere

	CodeLocked        Code = "Locked"
	CodeLockedAlready Code = "LockedAlready"
	CodeLockedSince   Code = "LockedSince"   // after the /unlock was written
	CodeUnlockedSince Code = "UnlockedSince" // after the /lock was written
	CodeUnlocked      Code = "Unlocked"
	CodeNotLocked     Code = "NotLocked"

	CodeStatus Code = "Status" // shows what is there
	CodeHelp   Code = "Help"
)

// What is said beside a decision, in [Args.More] and [Args.Because].
const (
	CodeBehindLock       Code = "BehindLock"
	CodeOtherRollback    Code = "OtherRollback"    // under way, to Other
	CodeOtherSwitched    Code = "OtherSwitched"    // under way, and can only be rolled back
	CodeOtherUnderWay    Code = "OtherUnderWay"    // under way, and can be cancelled
	CodeNotHeldTakenBack Code = "NotHeldTakenBack" // a lock does not stop it
	CodeNotHeldWatched   Code = "NotHeldWatched"
	CodeNotHeldSwitching Code = "NotHeldSwitching"
	CodeGoesOn           Code = "GoesOn" // it waited for the lock
	CodeGoesOnToApproval Code = "GoesOnToApproval"
	CodeNothingWaited    Code = "NothingWaited"
	CodeShrunk           Code = "Shrunk"     // Color was made smaller
	CodeStagedOver       Code = "StagedOver" // by Version, on Color
	CodeNotLookedAt      Code = "NotLookedAt"
	CodeTooFewReady      Code = "TooFewReady"
)
