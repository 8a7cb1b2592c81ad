package report

import "github.com/turnout-dev/turnout/bot/command"

// Sentences of several answers.
const (
	askAgain    = "If you still mean it, ask again: ${next}."
	askWhenOver = "Ask again when it has ended."
	mendOrRetry = "Merge a commit that fixes it, or type ${next} to try this commit again."
	revert      = "Merge a commit that reverts what you want to undo."
	chooseOne   = "Type one of these, on a line of its own:\n\n${choices}"
)

// markdownTexts has the comment's text for every fact. If both parts are empty, the
// release's own comment shows it.
var markdownTexts = map[command.Code]Text{
	command.CodeAskedBefore:          {"That was asked before: ${release} does it. Nothing was changed.", ""},
	command.CodeAskedBeforeCancelled: {"That was asked before: it cancelled ${release}. Nothing was changed.", ""},
	command.CodeAskedBeforeLocked:    {"That was asked before: ${application} is ${lock}. Nothing was changed.", ""},
	command.CodeAway:                 {"I was away when this was written, and things may have changed since.", askAgain},
	command.CodeTriedTooLong: {
		"This command could not be executed for more than an hour, because GitHub or Kubernetes did not answer, and things may have " +
			"changed since.", askAgain,
	},
	command.CodeNoCommand: {"${next} is not a command.", "${then} lists the commands."},
	command.CodeOtherBranch: {
		"This pull request merges into ${base}, but ${application} is released from ${branch}.",
		"Ask on a pull request that was merged into ${branch}.",
	},
	command.CodeNotMerged: {
		"This pull request is not merged, so there is nothing to release yet.", "Merge it into ${branch}: that starts its release.",
	},
	command.CodeOtherCommit: {
		"${typed} is not this pull request's commit, which is ${version}.",
		"Type ${next} alone, or ask on the pull request of the commit you mean.",
	},
	command.CodeOtherCommitNoMerge: {
		"${typed} is not this pull request's commit: it is not merged.",
		"Type ${next} alone, or ask on the pull request of the commit you mean.",
	},

	command.CodeBeingLeft:          {"A rollback from ${version} to ${other} is under way.", askWhenOver},
	command.CodeBeingLeftNotCancel: {"A rollback from ${version} to ${other} is under way, and cannot be cancelled.", askWhenOver},
	command.CodeBeingUndone:        {"The release of ${version} is being undone.", askWhenOver},
	command.CodeBeingUndoneAlready: {"The release of ${version} is being undone already.", ""},
	command.CodeSwitched:           {"${version} is already live on ${color}.", ""},
	command.CodeSwitching:          {"Traffic is being switched to ${version} right now.", ""},
	command.CodePromoted:           {},
	command.CodePromotedLocked: {
		"Promoted to ${weight} of the users, but ${version} has to wait.", "",
	},
	command.CodePromotedAlready: {
		"${version} was promoted by ${by} already; it goes on when its pods may have more users.", "",
	},
	command.CodeNoUsersYet: {
		"Nothing to promote to ${weight} of the users here: no canary under way has users.",
		"${next} approves a release, and during its canary takes the next step.",
	},
	command.CodeNoSuchStep: {
		"${version} has no step with ${weight} of the users ahead of it.", "${next} takes the next step, ${then} all that remain.",
	},
	command.CodeLiveAlready:     {"${version} is already live. Use ${next} to go back to the version before it.", ""},
	command.CodeApproved:        {},
	command.CodeApprovedEarly:   {"Approved: ${version} switches as soon as it has passed its health gate.", ""},
	command.CodeApprovedLocked:  {"Approved, but ${version} has to wait.", ""},
	command.CodeApprovedAlready: {"${version} was approved by ${by} already; it switches when it is ready.", ""},
	command.CodeSubmitted:       {},
	command.CodeSubmittedLocked: {"${version} will be released, but has to wait.", ""},
	command.CodeRolledBack: {
		"${version} was rolled back by ${leftby}.",
		"Merge a commit that fixes it, which is released in its place; or type ${next} to try this commit again.",
	},
	command.CodeFailedBefore: {"The release of ${version} failed: ${failure}.", mendOrRetry},
	command.CodeOvertaken:    {"${version} was overtaken by ${other}, which is under way and contains it.", "Ask on ${pulls}."},
	command.CodeOlder: {
		"${version} is older than ${live}, which is live and contains it.",
		"To go back to the version before, type ${next} on the pull request that is live, or ${then} anywhere.",
	},
	command.CodeDiverged: {
		"${version} and ${live}, which is live, do not contain each other: releasing it would undo what is live.",
		"Merge both into ${branch}, and release the result.",
	},
	command.CodeRetried:       {},
	command.CodeRetriedLocked: {"Attempt ${attempt} of ${version} has to wait.", ""},
	command.CodeRetriedRolledBack: {
		"Attempt ${attempt} of ${version} is prepared, and then waits for ${next}, in either mode: it was rolled back by ${leftby}.", "",
	},
	command.CodeStillRunning: {
		"The release of ${version} is still running: it is attempt ${attempt}.",
		"${next} stops it; after that, ${then} starts the next attempt.",
	},
	command.CodeStillRunningSwitched: {"The release of ${version} is still running: it is attempt ${attempt}.", "${next} takes it back."},
	command.CodeNothingToRetry: {
		"${version} is already live. Use ${next} to go back to the version before it.", "There is nothing to retry.",
	},

	command.CodeLeavingAlready: {"A rollback from ${version} to ${other} is already under way.", ""},
	command.CodeLeftAlready:    {"${version} was already rolled back, by ${release}: ${live} is live. Nothing was changed.", ""},
	command.CodeLeftMeanwhile:  {"${version} was already rolled back, by ${release}. Nothing was changed.", ""},
	command.CodeNotLiveLeft: {
		"${what} is not live: ${live} on ${livecolor} is.", "${version} was already rolled back, by ${release}. Nothing was changed.",
	},
	command.CodeBackAtOnce: {"Users return to ${other} at once: it still runs on ${othercolor} at the size they need.", ""},
	command.CodeBackOnceStarted: {
		"Users return to ${other} once its pods on ${othercolor} have started and are healthy, because ${because}: ${wait}.", "",
	},
	command.CodeBackOnceSettled: {
		"The switch to ${version} is under way; it goes back to ${other} as soon as it is confirmed or has failed.", "",
	},
	command.CodeBackIfHealthy: {
		"Users return to ${other} if it passes its health gate: ${release} changed the database at ${at}, and ${other} was never live with " +
			"that. If the gate does not pass, nobody is moved.", "",
	},
	command.CodeWayClosed: {
		"The way back to ${other} is closed since ${at}: ${because}.", "Merge a commit that fixes what is wrong.",
	},
	command.CodeContractRuns:    {"the contract ${release} is removing from the database what it needs", ""},
	command.CodeContractDone:    {"the contract ${release} removed from the database what it needs", ""},
	command.CodeContractFailed:  {"the contract ${release} failed, and may have removed from the database what it needs", ""},
	command.CodeContractUnknown: {"nobody knows what the contract ${release} removed from the database", ""},
	command.CodeContractEarlier: {"a contract before ${release} removed from the database what it needs", ""},
	command.CodeNoContract: {
		"${application} has no contract: spec.migrations.contract is not set.", "",
	},
	command.CodeContractNotOurs: {
		"Turnout did not release the live version of ${application}, so there is no contract to run.", "${next} shows what is live.",
	},
	command.CodeContractUnderWay: {
		"${release} is already under way.", "",
	},
	command.CodeContractSubmitted: {
		"The contract of ${version} begins as soon as nothing runs an older version, which ends the hold. From " +
			"then on there is no way back to one.", "",
	},
	command.CodeContractDeclared: {
		"${release} is declared done.", "",
	},
	command.CodeContractedAlready: {
		"${release} was the contract of ${version}, which is live. Nothing was changed.", "",
	},
	command.CodeContractOpen: {
		"${release} did not succeed, so the way back stays closed.",
		"Look at the database. ${next} then runs it again; ${then}, followed by your reason, declares it done.",
	},
	command.CodeContractNotOpen: {
		"No contract of ${application} failed or has an unknown outcome.", "",
	},
	command.CodeContractWhy: {
		"Say why ${release} counts as done.", "Type ${then}, followed by your reason.",
	},
	command.CodePreviousUnknown: {
		"The record does not show what was live before ${version}, so there is nothing to return to.", "Merge a commit that reverts it.",
	},
	command.CodeNothingBefore: {"${live} is live since ${release} went back to it; there is no version before it to return to.", revert},
	command.CodeNeverSwitched: {"Turnout has not switched to ${live} from another version, so there is nothing to return to.", revert},
	command.CodeMovedByOthers: {
		"Something other than Turnout has moved traffic to ${color} since the last switch.",
		"Look at the Ingress or HTTPRoute: Turnout cannot know what to return to.",
	},
	command.CodeMixed: {
		"Users are on both colours of ${application}, by weights that somebody else wrote.",
		"To take all of them from ${version} to ${other}, which they had before, type ${next}; it works on any pull request.",
	},
	command.CodeMixedNoWay: {
		"Users are on both colours of ${application}, by weights that somebody else wrote, and Turnout has no record of the version that " +
			"they had before.",
		"Give one Service all of the weight in the HTTPRoute.",
	},
	command.CodeNothingLive: {"${what} is not live: ${application} has no live version at present.", "${next} shows why."},
	command.CodeLiveNotOurs: {
		"${what} is not live: ${live} on ${livecolor} is. Turnout did not release that one, so there is nothing to return to.", revert,
	},
	command.CodeNotLive: {
		"${what} is not live: ${live} on ${livecolor} is.", "To roll that one back, type ${next}; it works on any pull request.",
	},
	command.CodeNotLiveNoWay: {"${what} is not live: ${live} on ${livecolor} is.", ""},

	command.CodeCancelled: {
		"The release of ${version} is being cancelled: users have not seen it, ${live} stays live. ${next} releases it once more.", "",
	},
	command.CodeCancelledByBack: {"The release of ${version} is being cancelled: users have not seen it, ${live} stays live.", ""},
	command.CodeWithdrawn: {
		"The release of ${version} is being cancelled: some users have seen it, and go back to ${live}, which stays live. " +
			"${next} releases it once more.", "",
	},
	command.CodeWithdrawnByBack: {
		"The release of ${version} is being cancelled: some users have seen it, and go back to ${live}, which stays live. " +
			"A later version that contains it waits for an approval.", "",
	},
	command.CodeUndoneByBack: {
		"The release of ${version} is being undone already: some users have seen it, and go back to ${live}, which stays live. " +
			"A later version that contains it waits for an approval.", "",
	},
	command.CodeCancelledAlready: {"The release of ${version} was cancelled by ${by} already; ${live} stays live.", ""},
	command.CodeTooLate: {
		"It is too late to cancel ${version}: users are on it, or on their way.",
		"Type ${next} to take them back.",
	},
	command.CodeNothingToCancel: {"${ended}: there is nothing to cancel. Nothing was changed.", ""},
	command.CodeOthersUnderWay:  {"${ended}, so there is nothing to cancel here.", ""},

	command.CodeLocked: {
		"${application} is ${lock}. Until ${next} no release moves users; releases wait, and then go on by themselves. ${then} still " +
			"works.", "",
	},
	command.CodeLockedAlready: {"${application} is ${lock}. Nothing was changed; to give another reason, type ${next} first.", ""},
	command.CodeLockedSince:   {"${application} was locked after this was written: it is ${wholelock}.", askAgain},
	command.CodeUnlockedSince: {"${application} was unlocked at ${at}, after this was written.", askAgain},
	command.CodeUnlocked:      {"${application} is unlocked. It was ${lock}.", ""},
	command.CodeNotLocked:     {"${application} is not locked. Nothing was changed.", ""},

	command.CodeStatus: {"${status}", ""},
	command.CodeHelp:   {"${help}", ""},

	command.CodeBehindLock:    {"${application} is ${lock}. ${next} lets it go on.", ""},
	command.CodeOtherRollback: {"", "The rollback to ${other} is under way; a rollback cannot be cancelled."},
	command.CodeOtherSwitched: {
		"", "${version} is under way, past the point where it can be cancelled: ask for ${next} on ${pulls}.",
	},
	command.CodeOtherUnderWay:    {"", "${version} is under way: ask for ${next} on ${pulls}."},
	command.CodeNotHeldTakenBack: {"Users are being taken back from ${version} right now, which the lock does not stop.", ""},
	command.CodeNotHeldWatched:   {"${version} is already live and only watched, which the lock does not stop.", ""},
	command.CodeNotHeldSwitching: {
		"Traffic is being switched to ${version} right now, which the lock does not stop: ${next} takes it back.", "",
	},
	command.CodeGoesOn:           {"${version} goes on.", ""},
	command.CodeGoesOnToApproval: {"${version} goes on, and then waits for ${next}.", ""},
	command.CodeNothingWaited:    {"Nothing waited for it.", ""},
	command.CodeShrunk:           {"${color} was scaled down since", ""},
	command.CodeStagedOver:       {"${bareversion} was staged on ${color} since", ""},
	command.CodeNotLookedAt:      {"its pods were not checked yet", ""},
	command.CodeTooFewReady:      {"${reason}", ""},

	command.CodeOtherBranches: {
		"This pull request merges into ${base}; the applications of this repository are released from ${branches}.",
		"Ask on a pull request that was merged there.",
	},
	command.CodeAmbiguous: {
		"Several applications are released from this repository, and the command does not say which. Nothing was changed.", chooseOne,
	},
	command.CodeAmbiguousName: {
		"Several applications are released from this repository, and several namespaces have one named ${typed}. Nothing was changed.", chooseOne,
	},
	command.CodeUnknownApplication: {"${typed} is not an application of this repository. Nothing was changed.", chooseOne},
	command.CodeUnknownWord: {
		"${typed} is neither an application of this repository nor a commit's hash (7 to 64 of 0-9a-f). Nothing was changed.", chooseOne,
	},
	command.CodeForbidden: {
		"${next} needs the permission *write* in ${repository}, and you have *${permission}*.",
		"Ask somebody who has it to type the command, or a repository administrator for the permission.",
	},
	command.CodeTooLong: {
		"This comment is longer than ${number} KB, so Turnout did not look for a command in it.", "Type the command in a comment of its own.",
	},
	command.CodeSeveralCommands: {"There are several commands in one comment, and none was executed. Type each in a comment of its own.", ""},
	command.CodeBadArgument:     {"The argument contains characters that are not allowed. ${usage}", ""},
	command.CodeTooManyWords:    {"${next} was given too many arguments. ${usage}", ""},
	command.CodeNoHash:          {"Neither ${words} is a commit's hash (7 to 64 of 0-9a-f). ${usage}", ""},
	command.CodeNearMiss:        {"There is no command ${typed}. Did you mean ${next}?", "Nothing was done. ${then} lists the commands."},
	command.CodeAskedAfter: {
		"${next} was requested later and is already done; this command could not be executed before. Nothing was changed.",
		"If you still mean it, ask again: ${then}.",
	},
	command.CodeNamesTaken: {
		"Other releases, such as ${release}, have every name that this release could have. Nothing was changed.",
		"Have somebody who may delete releases delete them, then ask again.",
	},
	command.CodeNewerRecord: {
		"A newer version of Turnout has taken over ${application}, so this version changes nothing of it.",
		"Ask whoever runs Turnout to upgrade this one, then ask again.",
	},
	command.CodeAskedMeanwhile:    {"That was asked before. Nothing was changed.", ""},
	command.CodeGone:              {"It is gone from the record.", "${next} shows what is live."},
	command.CodeUnlockedMeanwhile: {"${application} was unlocked since you asked. Nothing was changed.", "If you still mean it, ask again."},
	command.CodeUnlockedByOther:   {"${application} was unlocked by somebody else just now. Nothing was changed.", ""},
	command.CodeLockedAndUnlocked: {"${application} was locked by somebody else, and unlocked again, just now. Nothing was changed.", ""},
}
