package main

import (
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// Sentences of several answers.
const (
	askAgain    = "If you still mean it, ask again."
	askWhenOver = "Ask again when it has ended."
	mendOrRetry = "Merge a commit that fixes it, or type ${next} to try this commit again."
	revert      = "Merge a commit that reverts what you want to undo."
	nothingMore = "There is nothing to cancel."
	nameOne     = "Name one of them."
)

// terminalTexts has the terminal's text for every fact. If both parts are empty, the
// followed release shows it.
var terminalTexts = map[command.Code]report.Text{
	command.CodeAskedBefore:          {Says: "That was asked before: ${release} does it. Nothing was changed."},
	command.CodeAskedBeforeCancelled: {Says: "That was asked before: it cancelled ${release}. Nothing was changed."},
	command.CodeAskedBeforeLocked:    {Says: "That was asked before: ${application} is ${lock}. Nothing was changed."},
	command.CodeAway:                 {Says: "This was asked too long ago, and things may have changed since.", Next: askAgain},
	command.CodeTriedTooLong: {
		Says: "This could not be done for more than an hour, and things may have changed since.", Next: askAgain,
	},
	command.CodeNoCommand: {Says: "That is not a command.", Next: "${help} lists the commands."},
	command.CodeOtherBranch: {
		Says: "That commit was merged into ${base}, but ${application} is released from ${branch}.", Next: "Name a commit of ${branch}.",
	},
	command.CodeNotMerged: {Says: "That commit is not merged, so there is nothing to release yet.", Next: "Merge it into ${branch}."},
	command.CodeOtherCommit: {
		Says: "${typed} is not the commit that is meant, which is ${version}.",
		Next: "Name the one that you mean.",
	},
	command.CodeOtherCommitNoMerge: {Says: "${typed} is not merged.", Next: "Name a commit that is."},

	command.CodeBeingLeft:          {Says: "A rollback from ${version} to ${other} is under way.", Next: askWhenOver},
	command.CodeBeingLeftNotCancel: {Says: "A rollback from ${version} to ${other} is under way, and cannot be cancelled.", Next: askWhenOver},
	command.CodeBeingUndone:        {Says: "The release of ${version} is being undone.", Next: askWhenOver},
	command.CodeBeingUndoneAlready: {Says: "The release of ${version} is being undone already."},
	command.CodeSwitched:           {Says: "${version} is already live on ${color}."},
	command.CodeSwitching:          {Says: "Traffic is being switched to ${version} right now."},
	command.CodePromoted:           {},
	command.CodePromotedLocked: {
		Says: "Promoted to ${weight} of the users, but ${version} has to wait.",
	},
	command.CodePromotedAlready: {
		Says: "${version} was promoted by ${by} already; it goes on when its pods may have more users.",
	},
	command.CodeNoUsersYet: {
		Says: "Nothing to promote to ${weight} of the users here: no canary under way has users.",
		Next: "${next} approves a release, and during its canary takes the next step.",
	},
	command.CodeNoSuchStep: {
		Says: "${version} has no step with ${weight} of the users ahead of it.", Next: "${next} takes the next step, ${then} all that remain.",
	},
	command.CodeLiveAlready:     {Says: "${version} is already live. Use ${next} to go back to the version before it."},
	command.CodeApproved:        {},
	command.CodeApprovedEarly:   {Says: "Approved: ${version} switches as soon as it has passed its health gate."},
	command.CodeApprovedLocked:  {Says: "Approved, but ${version} has to wait."},
	command.CodeApprovedAlready: {Says: "${version} was approved by ${by} already; it switches when it is ready."},
	command.CodeSubmitted:       {},
	command.CodeSubmittedLocked: {Says: "${version} will be released, but has to wait."},
	command.CodeRolledBack: {
		Says: "${version} was rolled back by ${leftby}.",
		Next: "Merge a commit that fixes it, which is released in its place; or type ${next} to try this commit again.",
	},
	command.CodeFailedBefore: {Says: "The release of ${version} failed: ${reason}.", Next: mendOrRetry},
	command.CodeOvertaken: {
		Says: "${version} was overtaken by ${other}, which is under way and contains it.", Next: "Promote ${other} in its place.",
	},
	command.CodeOlder: {
		Says: "${version} is older than ${live}, which is live and contains it.", Next: "To go back to the version before, type ${then}.",
	},
	command.CodeDiverged: {
		Says: "${version} and ${live}, which is live, do not contain each other: releasing it would undo what is live.",
		Next: "Merge both into ${branch}, and release the result.",
	},
	command.CodeRetried:       {},
	command.CodeRetriedLocked: {Says: "Attempt ${attempt} of ${version} has to wait."},
	command.CodeRetriedRolledBack: {
		Says: "Attempt ${attempt} of ${version} is prepared, and then waits for ${next}, in either mode: it was rolled back by ${leftby}.",
	},
	command.CodeStillRunning: {
		Says: "The release of ${version} is still running: it is attempt ${attempt}.",
		Next: "${next} stops it; after that, ${then} starts the next attempt.",
	},
	command.CodeStillRunningSwitched: {
		Says: "The release of ${version} is still running: it is attempt ${attempt}.", Next: "${next} takes it back.",
	},
	command.CodeNothingToRetry: {
		Says: "${version} is already live. Use ${next} to go back to the version before it.", Next: "There is nothing to retry.",
	},

	command.CodeLeavingAlready: {Says: "A rollback from ${version} to ${other} is already under way."},
	command.CodeLeftAlready:    {Says: "${version} was already rolled back, by ${release}: ${live} is live. Nothing was changed."},
	command.CodeLeftMeanwhile:  {Says: "${version} was already rolled back, by ${release}. Nothing was changed."},
	command.CodeNotLiveLeft: {
		Says: "${typed} is not live: ${live} on ${livecolor} is.",
		Next: "${version} was already rolled back, by ${release}. Nothing was changed.",
	},
	command.CodeBackAtOnce: {Says: "Users return to ${other} at once: it still runs on ${othercolor} at the size they need."},
	command.CodeBackOnceStarted: {
		Says: "Users return to ${other} once its pods on ${othercolor} have started and are healthy, because ${because}: ${wait}.",
	},
	command.CodeBackOnceSettled: {
		Says: "The switch to ${version} is under way; it goes back to ${other} as soon as it is confirmed or has failed.",
	},
	command.CodeBackIfHealthy: {
		Says: "Users return to ${other} if it passes its health gate: ${release} changed the database at ${at}, and ${other} was never live " +
			"with that. If the gate does not pass, nobody is moved.",
	},
	command.CodeWayClosed: {
		Says: "The way back to ${other} is closed since ${at}: ${because}.", Next: "Merge a commit that fixes what is wrong.",
	},
	command.CodeContractRuns:    {Says: "the contract ${release} is removing from the database what it needs"},
	command.CodeContractDone:    {Says: "the contract ${release} removed from the database what it needs"},
	command.CodeContractFailed:  {Says: "the contract ${release} failed, and may have removed from the database what it needs"},
	command.CodeContractUnknown: {Says: "nobody knows what the contract ${release} removed from the database"},
	command.CodeContractEarlier: {Says: "a contract before ${release} removed from the database what it needs"},
	command.CodeNoContract: {
		Says: "${application} has no contract: spec.migrations.contract is not set.",
	},
	command.CodeContractNotOurs: {
		Says: "Turnout did not release the live version of ${application}, so there is no contract to run.", Next: "${next} shows what is live.",
	},
	command.CodeContractUnderWay: {
		Says: "${release} is already under way.",
	},
	command.CodeContractSubmitted: {
		Says: "The contract of ${version} begins as soon as nothing runs an older version, which ends the hold. From " +
			"then on there is no way back to one.",
	},
	command.CodeContractDeclared: {
		Says: "${release} is declared done.",
	},
	command.CodeContractedAlready: {
		Says: "${release} was the contract of ${version}, which is live. Nothing was changed.",
	},
	command.CodeContractOpen: {
		Says: "${release} did not succeed, so the way back stays closed.",
		Next: "Look at the database. ${next} then runs it again; ${then}, followed by your reason, declares it done.",
	},
	command.CodeContractNotOpen: {
		Says: "No contract of ${application} failed or has an unknown outcome.",
	},
	command.CodeContractWhy: {
		Says: "Say why ${release} counts as done.", Next: "Type ${then}, followed by your reason.",
	},
	command.CodePreviousUnknown: {
		Says: "The record does not show what was live before ${version}, so there is nothing to return to.",
		Next: "Merge a commit that reverts it.",
	},
	command.CodeNothingBefore: {
		Says: "${live} is live since ${release} went back to it; there is no version before it to return to.", Next: revert,
	},
	command.CodeNeverSwitched: {
		Says: "Turnout has not switched to ${live} from another version, so there is nothing to return to.", Next: revert,
	},
	command.CodeMovedByOthers: {
		Says: "Something other than Turnout has moved traffic to ${color} since the last switch.",
		Next: "Look at the Ingress or HTTPRoute: Turnout cannot know what to return to.",
	},
	command.CodeMixed: {
		Says: "Users are on both colours of ${application}, by weights that somebody else wrote.",
		Next: "To take all of them from ${version} to ${other}, which they had before: ${next}.",
	},
	command.CodeMixedNoWay: {
		Says: "Users are on both colours of ${application}, by weights that somebody else wrote, and Turnout has no record of the version " +
			"that they had before.",
		Next: "Give one Service all of the weight in the HTTPRoute.",
	},
	command.CodeNothingLive: {Says: "${application} has no live version at present.", Next: "${status} shows why."},
	command.CodeLiveNotOurs: {
		Says: "${typed} is not live: ${live} on ${livecolor} is. Turnout did not release that one, so there is nothing to return to.",
		Next: revert,
	},
	command.CodeNotLive: {
		Says: "${typed} is not live: ${live} on ${livecolor} is.", Next: "To roll that one back, type ${next}.",
	},
	command.CodeNotLiveNoWay: {Says: "${typed} is not live: ${live} on ${livecolor} is."},

	command.CodeCancelled: {
		Says: "The release of ${version} is being cancelled: users have not seen it, ${live} stays live. ${next} releases it once more.",
	},
	command.CodeCancelledByBack: {Says: "The release of ${version} is being cancelled: users have not seen it, ${live} stays live."},
	command.CodeWithdrawn: {
		Says: "The release of ${version} is being cancelled: some users have seen it, and go back to ${live}, which stays live. " +
			"${next} releases it once more.",
	},
	command.CodeWithdrawnByBack: {
		Says: "The release of ${version} is being cancelled: some users have seen it, and go back to ${live}, which stays live. " +
			"A later version that contains it waits for an approval.",
	},
	command.CodeUndoneByBack: {
		Says: "The release of ${version} is being undone already: some users have seen it, and go back to ${live}, which stays live. " +
			"A later version that contains it waits for an approval.",
	},
	command.CodeCancelledAlready: {Says: "The release of ${version} was cancelled by ${by} already; ${live} stays live."},
	command.CodeTooLate: {
		Says: "It is too late to cancel ${version}: users are on it, or on their way.", Next: "Type ${next} to take them back.",
	},
	command.CodeNothingToCancel: {Says: "${ended}: there is nothing to cancel. Nothing was changed."},
	command.CodeOthersUnderWay:  {Says: "${ended}, so there is nothing to cancel here."},

	command.CodeLocked: {
		Says: "${application} is ${lock}. Until ${next} no release moves users; releases wait, and then go on by themselves. ${then} still " +
			"works.",
	},
	command.CodeLockedAlready: {Says: "${application} is ${lock}. Nothing was changed; to give another reason, type ${next} first."},
	command.CodeLockedSince:   {Says: "${application} was locked after this was asked: it is ${lock}.", Next: askAgain},
	command.CodeUnlockedSince: {Says: "${application} was unlocked at ${at}, after this was asked.", Next: askAgain},
	command.CodeUnlocked:      {Says: "${application} is unlocked. It was ${lock}."},
	command.CodeNotLocked:     {Says: "${application} is not locked. Nothing was changed."},

	command.CodeStatus: {Next: "${status} shows what is live, what is under way, and what blocks it."},
	command.CodeHelp:   {Next: "${help} lists the commands."},

	command.CodeBehindLock:       {Says: "${application} is ${lock}. ${next} lets it go on."},
	command.CodeOtherRollback:    {Next: "The rollback to ${other} is under way; a rollback cannot be cancelled."},
	command.CodeOtherSwitched:    {Next: "${version} is under way, past the point where it can be cancelled: ${next} takes it back."},
	command.CodeOtherUnderWay:    {Next: "${version} is under way: ${next} stops it."},
	command.CodeNotHeldTakenBack: {Says: "Users are being taken back from ${version} right now, which the lock does not stop."},
	command.CodeNotHeldWatched:   {Says: "${version} is already live and only watched, which the lock does not stop."},
	command.CodeNotHeldSwitching: {
		Says: "Traffic is being switched to ${version} right now, which the lock does not stop: ${next} takes it back.",
	},
	command.CodeGoesOn:           {Says: "${version} goes on."},
	command.CodeGoesOnToApproval: {Says: "${version} goes on, and then waits for ${next}."},
	command.CodeNothingWaited:    {Says: "Nothing waited for it."},
	command.CodeShrunk:           {Says: "${color} was scaled down since"},
	command.CodeStagedOver:       {Says: "${commit} was staged on ${color} since"},
	command.CodeNotLookedAt:      {Says: "its pods were not checked yet"},
	command.CodeTooFewReady:      {Says: "${reason}"},

	codeUnderWay: {Says: "${one} of ${commit} is under way already, asked for by ${by}."},
	codeIsLive:   {Says: "${commit} is already live."},
	codeReleasedBefore: {
		Says: "${commit} was released before: ${one} ended as ${exactends}. Nothing was started.", Next: "To release it once more: ${next}.",
	},
	codeNotNewest:        {Says: "${one} is not the newest release of ${commit}.", Next: "Promote ${all}, or name the commit."},
	codeNoneWaits:        {Says: "No release of ${name} waits.", Next: "Name the commit to release: --commit SHA."},
	codeNoneUnderWay:     {Says: "No release of ${name} is under way.", Next: nothingMore},
	codeSeveralUnderWay:  {Says: "${name} has several releases under way: ${all}.", Next: nameOne},
	codeNoSuchRelease:    {Says: "${name} has no release ${one}.", Next: "List them: ${list}."},
	codeNothingToApprove: {Says: "${one} is a rollback: it waits for nobody's approval.", Next: "Watch it: ${list}."},
	codeNoVersionLive:    {Says: "${name} has no live version at present.", Next: "${status} shows why."},
	codeLiveIsForeign: {
		Says: "${livename} is live on ${livecolor}, which Turnout did not release: there is nothing to return to.", Next: revert,
	},
	codeRollbackUnderWay:  {Says: "${one} is under way already."},
	codeRollbackGoesOn:    {Says: "${one} is a rollback, which cannot be cancelled.", Next: "Release another version when it has ended."},
	codeContractCancelled: {Says: "${one} is being cancelled, unless it has begun."},
	codeEndedAlready:      {Says: "${one} has ended already: ${exactends}.", Next: nothingMore},
}
