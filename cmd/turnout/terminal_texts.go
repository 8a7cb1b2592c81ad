package main

import "github.com/turnout-dev/turnout/bot"

// What is said in more than one answer.
const (
	askAgain    = "If you still mean it, ask again."
	askWhenOver = "Ask again when it has ended."
	mendOrRetry = "Merge a commit that mends it, or type ${next} to try this very commit again."
	revert      = "Merge a commit that reverts what you want to undo."
	nothingMore = "There is nothing to cancel."
	nameOne     = "Name one of them."
)

// terminalTexts has the words of a terminal for every fact; where both are empty, the
// release that is followed shows it.
var terminalTexts = map[bot.Code]bot.Text{
	bot.CodeAskedBefore:          {Says: "That was asked before: ${release} does it. Nothing was changed."},
	bot.CodeAskedBeforeCancelled: {Says: "That was asked before: it cancelled ${release}. Nothing was changed."},
	bot.CodeAskedBeforeLocked:    {Says: "That was asked before: ${application} is ${lock}. Nothing was changed."},
	bot.CodeAway:                 {Says: "This was asked too long ago, and things may have changed since.", Next: askAgain},
	bot.CodeTriedTooLong: {
		Says: "This could not be done for more than an hour, and things may have changed since.", Next: askAgain,
	},
	bot.CodeNoCommand: {Says: "That is not a command.", Next: "${help} lists the commands."},
	bot.CodeOtherBranch: {
		Says: "That commit was merged into ${base}, but ${application} is released from ${branch}.", Next: "Name a commit of ${branch}.",
	},
	bot.CodeNotMerged:          {Says: "That commit is not merged, so there is nothing to release yet.", Next: "Merge it into ${branch}."},
	bot.CodeOtherCommit:        {Says: "${typed} is not the commit that is meant, which is ${version}.", Next: "Name the one that you mean."},
	bot.CodeOtherCommitNoMerge: {Says: "${typed} is not merged.", Next: "Name a commit that is."},

	bot.CodeBeingLeft:          {Says: "${version} is being left, for ${other}.", Next: askWhenOver},
	bot.CodeBeingLeftNotCancel: {Says: "${version} is being left, for ${other}, and a rollback is not cancelled.", Next: askWhenOver},
	bot.CodeBeingUndone:        {Says: "The release of ${version} is being undone.", Next: askWhenOver},
	bot.CodeBeingUndoneAlready: {Says: "The release of ${version} is being undone already."},
	bot.CodeSwitched:           {Says: "${version} is live on ${color} already."},
	bot.CodeSwitching:          {Says: "Traffic is being switched to ${version} right now."},
	bot.CodeLiveAlready:        {Says: "${version} is live already. ${next} leaves it."},
	bot.CodeApproved:           {},
	bot.CodeApprovedEarly:      {Says: "Approved: ${version} switches as soon as it has passed its health gate."},
	bot.CodeApprovedLocked:     {Says: "Approved, but ${version} has to wait."},
	bot.CodeApprovedAlready:    {Says: "${version} was approved by ${by} already; it switches when it is ready."},
	bot.CodeSubmitted:          {},
	bot.CodeSubmittedLocked:    {Says: "${version} is to be released, but has to wait."},
	bot.CodeRolledBack: {
		Says: "${version} was rolled back by ${leftby}.",
		Next: "Merge a commit that mends it, which is released in its place; or type ${next} to try this very commit again.",
	},
	bot.CodeFailedBefore: {Says: "The release of ${version} failed: ${reason}.", Next: mendOrRetry},
	bot.CodeOvertaken: {
		Says: "${version} was overtaken by ${other}, which is under way and contains it.", Next: "Promote ${other} in its place.",
	},
	bot.CodeOlder: {
		Says: "${version} is older than ${live}, which is live and contains it.", Next: "To go back to the version before, type ${then}.",
	},
	bot.CodeDiverged: {
		Says: "${version} and ${live}, which is live, do not contain one another: releasing it would take away what is live.",
		Next: "Merge both into ${branch}, and release the result.",
	},
	bot.CodeRetried:       {},
	bot.CodeRetriedLocked: {Says: "Attempt ${attempt} of ${version} has to wait."},
	bot.CodeRetriedRolledBack: {
		Says: "Attempt ${attempt} of ${version} is prepared, and then waits for ${next}, whatever the mode: it was rolled back by ${leftby}.",
	},
	bot.CodeStillRunning: {
		Says: "The release of ${version} is still running: it is attempt ${attempt}.",
		Next: "${next} stops it; after that, ${then} starts the next attempt.",
	},
	bot.CodeStillRunningSwitched: {
		Says: "The release of ${version} is still running: it is attempt ${attempt}.", Next: "${next} takes it back.",
	},
	bot.CodeNothingToRetry: {Says: "${version} is live already. ${next} leaves it.", Next: "There is nothing to retry."},

	bot.CodeLeavingAlready: {Says: "${version} is being left already, for ${other}."},
	bot.CodeLeftAlready:    {Says: "${version} was left already, by ${release}: ${live} is live. Nothing was changed."},
	bot.CodeLeftMeanwhile:  {Says: "${version} was left already, by ${release}. Nothing was changed."},
	bot.CodeNotLiveLeft: {
		Says: "${typed} is not what is live: ${live} on ${livecolor} is.",
		Next: "${version} was left already, by ${release}. Nothing was changed.",
	},
	bot.CodeBackAtOnce: {Says: "Users return to ${other} at once: it still runs on ${othercolor} at the size they need."},
	bot.CodeBackOnceStarted: {
		Says: "Users return to ${other} once its pods on ${othercolor} are started and found healthy, because ${because}: ${wait}.",
	},
	bot.CodeBackOnceSettled: {
		Says: "The switch to ${version} is under way; it goes back to ${other} as soon as it is confirmed or has failed.",
	},
	bot.CodePreviousUnknown: {
		Says: "It is not recorded what was live before ${version}, so there is nothing to return to.", Next: "Merge a commit that reverts it.",
	},
	bot.CodeNothingBefore: {
		Says: "${live} is live since ${release} went back to it; there is no version before it to return to.", Next: revert,
	},
	bot.CodeNeverSwitched: {
		Says: "Turnout has not switched to ${live} from another version, so there is nothing to return to.", Next: revert,
	},
	bot.CodeMovedByOthers: {
		Says: "Traffic was moved to ${color} by something else than Turnout since the last switch.",
		Next: "Look at the Ingress: what to return to cannot be told safely.",
	},
	bot.CodeNothingLive: {Says: "${application} has no live version at present.", Next: "${status} says why."},
	bot.CodeLiveNotOurs: {
		Says: "${typed} is not what is live: ${live} on ${livecolor} is, which Turnout did not release, so there is nothing to return to.",
		Next: revert,
	},
	bot.CodeNotLive: {
		Says: "${typed} is not what is live: ${live} on ${livecolor} is.", Next: "To leave that one, type ${next}.",
	},
	bot.CodeNotLiveNoWay: {Says: "${typed} is not what is live: ${live} on ${livecolor} is."},

	bot.CodeCancelled: {
		Says: "The release of ${version} is being cancelled: users have not seen it, ${live} stays live. ${next} releases it once more.",
	},
	bot.CodeCancelledByBack:  {Says: "The release of ${version} is being cancelled: users have not seen it, ${live} stays live."},
	bot.CodeCancelledAlready: {Says: "The release of ${version} was cancelled by ${by} already; ${live} stays live."},
	bot.CodeTooLate: {
		Says: "It is too late to cancel ${version}: users are on it, or on their way.", Next: "Type ${next} to take them back.",
	},
	bot.CodeNothingToCancel: {Says: "${ended}: there is nothing to cancel. Nothing was changed."},
	bot.CodeOthersUnderWay:  {Says: "${ended}, so there is nothing to cancel here."},

	bot.CodeLocked: {
		Says: "${application} is ${lock}. Until ${next} no release moves users; releases wait, and then go on by themselves. ${then} works " +
			"all the same.",
	},
	bot.CodeLockedAlready: {Says: "${application} is ${lock}. Nothing was changed; to give another reason, type ${next} first."},
	bot.CodeLockedSince:   {Says: "${application} is ${lock}, and that was after this was asked.", Next: askAgain},
	bot.CodeUnlockedSince: {Says: "${application} was unlocked at ${at}, after this was asked.", Next: askAgain},
	bot.CodeUnlocked:      {Says: "${application} is unlocked. It was ${lock}."},
	bot.CodeNotLocked:     {Says: "${application} is not locked. Nothing was changed."},

	bot.CodeStatus: {Next: "${status} says what is live, what is under way, and what is in the way."},
	bot.CodeHelp:   {Next: "${help} lists the commands."},

	bot.CodeBehindLock:       {Says: "${application} is ${lock}. ${next} lets it go on."},
	bot.CodeOtherRollback:    {Next: "The rollback to ${other} is under way; a rollback is not cancelled."},
	bot.CodeOtherSwitched:    {Next: "${version} is under way, past the point where it can be cancelled: ${next} takes it back."},
	bot.CodeOtherUnderWay:    {Next: "${version} is under way: ${next} stops it."},
	bot.CodeNotHeldTakenBack: {Says: "Users are being taken back from ${version} right now, which the lock does not stop."},
	bot.CodeNotHeldWatched:   {Says: "${version} is live already and only watched, which the lock does not stop."},
	bot.CodeNotHeldSwitching: {
		Says: "Traffic is being switched to ${version} right now, which the lock does not stop: ${next} takes it back.",
	},
	bot.CodeGoesOn:           {Says: "${version} goes on."},
	bot.CodeGoesOnToApproval: {Says: "${version} goes on, as far as ${next}."},
	bot.CodeNothingWaited:    {Says: "Nothing waited for it."},
	bot.CodeShrunk:           {Says: "${color} was made smaller since"},
	bot.CodeStagedOver:       {Says: "${commit} was staged on ${color} since"},
	bot.CodeNotLookedAt:      {Says: "what runs of it was not looked at yet"},
	bot.CodeTooFewReady:      {Says: "${reason}"},

	codeUnderWay: {Says: "${one} of ${commit} is under way already, asked for by ${by}."},
	codeIsLive:   {Says: "${commit} is live already."},
	codeReleasedBefore: {
		Says: "${commit} was released before: ${one} ended as ${exactends}. Nothing was started.", Next: "To release it once more: ${next}.",
	},
	codeNotNewest:        {Says: "${one} is not the newest release of ${commit}.", Next: "Promote ${all}, or name the commit."},
	codeNoneWaits:        {Says: "No release of ${name} waits.", Next: "Name the commit to release: --commit SHA."},
	codeNoneUnderWay:     {Says: "No release of ${name} is under way.", Next: nothingMore},
	codeSeveralUnderWay:  {Says: "${name} has several releases under way: ${all}.", Next: nameOne},
	codeNoSuchRelease:    {Says: "${name} has no release ${one}.", Next: "List them: ${list}."},
	codeNothingToApprove: {Says: "${one} is a rollback: it waits for nobody's approval.", Next: "Watch it: ${list}."},
	codeNoVersionLive:    {Says: "${name} has no live version at present.", Next: "${status} says why."},
	codeLiveIsForeign: {
		Says: "${livename} is live on ${livecolor}, which Turnout did not release: there is nothing to return to.", Next: revert,
	},
	codeRollbackUnderWay: {Says: "${one} is under way already."},
	codeRollbackGoesOn:   {Says: "${one} is a rollback, which is not cancelled.", Next: "Release another version when it has ended."},
	codeEndedAlready:     {Says: "${one} has ended already: ${exactends}.", Next: nothingMore},
}
