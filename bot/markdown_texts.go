package bot

// What is said in more than one answer.
const (
	askAgain    = "If you still mean it, ask again: ${next}."
	askWhenOver = "Ask again when it has ended."
	mendOrRetry = "Merge a commit that mends it, or type ${next} to try this very commit again."
	revert      = "Merge a commit that reverts what you want to undo."
	chooseOne   = "Type one of these, on a line of its own:\n\n${choices}"
)

// markdownTexts has the words of a comment on a pull request for every fact; where
// both are empty, the release's own comment shows it.
var markdownTexts = map[Code]Text{
	CodeAskedBefore:          {"That was asked before: ${release} does it. Nothing was changed.", ""},
	CodeAskedBeforeCancelled: {"That was asked before: it cancelled ${release}. Nothing was changed.", ""},
	CodeAskedBeforeLocked:    {"That was asked before: ${application} is ${lock}. Nothing was changed.", ""},
	CodeAway:                 {"I was away when this was written, and things may have changed since.", askAgain},
	CodeTriedTooLong: {
		"This command could not be executed for more than an hour, because GitHub or Kubernetes did not answer, and things may have " +
			"changed since.", askAgain,
	},
	CodeNoCommand: {"${next} is not a command.", "${then} lists the commands."},
	CodeOtherBranch: {
		"This pull request merges into ${base}, but ${application} is released from ${branch}.",
		"Ask on a pull request that was merged into ${branch}.",
	},
	CodeNotMerged: {
		"This pull request is not merged, so there is nothing to release yet.", "Merge it into ${branch}: that starts its release.",
	},
	CodeOtherCommit: {
		"${typed} is not this pull request's commit, which is ${version}.",
		"Type ${next} alone, or ask on the pull request of the commit you mean.",
	},
	CodeOtherCommitNoMerge: {
		"${typed} is not this pull request's commit: it is not merged.",
		"Type ${next} alone, or ask on the pull request of the commit you mean.",
	},

	CodeBeingLeft:          {"${version} is being left, for ${other}.", askWhenOver},
	CodeBeingLeftNotCancel: {"${version} is being left, for ${other}, and a rollback is not cancelled.", askWhenOver},
	CodeBeingUndone:        {"The release of ${version} is being undone.", askWhenOver},
	CodeBeingUndoneAlready: {"The release of ${version} is being undone already.", ""},
	CodeSwitched:           {"${version} is live on ${color} already.", ""},
	CodeSwitching:          {"Traffic is being switched to ${version} right now.", ""},
	CodeLiveAlready:        {"${version} is live already. ${next} leaves it.", ""},
	CodeApproved:           {},
	CodeApprovedEarly:      {"Approved: ${version} switches as soon as it has passed its health gate.", ""},
	CodeApprovedLocked:     {"Approved, but ${version} has to wait.", ""},
	CodeApprovedAlready:    {"${version} was approved by ${by} already; it switches when it is ready.", ""},
	CodeSubmitted:          {},
	CodeSubmittedLocked:    {"${version} is to be released, but has to wait.", ""},
	CodeRolledBack: {
		"${version} was rolled back by ${leftby}.",
		"Merge a commit that mends it, which is released in its place; or type ${next} to try this very commit again.",
	},
	CodeFailedBefore: {"The release of ${version} failed: ${failure}.", mendOrRetry},
	CodeOvertaken:    {"${version} was overtaken by ${other}, which is under way and contains it.", "Ask on ${pulls}."},
	CodeOlder: {
		"${version} is older than ${live}, which is live and contains it.",
		"To go back to the version before, type ${next} on the pull request that is live, or ${then} anywhere.",
	},
	CodeDiverged: {
		"${version} and ${live}, which is live, do not contain one another: releasing it would take away what is live.",
		"Merge both into ${branch}, and release the result.",
	},
	CodeRetried:       {},
	CodeRetriedLocked: {"Attempt ${attempt} of ${version} has to wait.", ""},
	CodeRetriedRolledBack: {
		"Attempt ${attempt} of ${version} is prepared, and then waits for ${next}, whatever the mode: it was rolled back by ${leftby}.", "",
	},
	CodeStillRunning: {
		"The release of ${version} is still running: it is attempt ${attempt}.",
		"${next} stops it; after that, ${then} starts the next attempt.",
	},
	CodeStillRunningSwitched: {"The release of ${version} is still running: it is attempt ${attempt}.", "${next} takes it back."},
	CodeNothingToRetry:       {"${version} is live already. ${next} leaves it.", "There is nothing to retry."},

	CodeLeavingAlready: {"${version} is being left already, for ${other}.", ""},
	CodeLeftAlready:    {"${version} was left already, by ${release}: ${live} is live. Nothing was changed.", ""},
	CodeLeftMeanwhile:  {"${version} was left already, by ${release}. Nothing was changed.", ""},
	CodeNotLiveLeft: {
		"${what} is not what is live: ${live} on ${livecolor} is.", "${version} was left already, by ${release}. Nothing was changed.",
	},
	CodeBackAtOnce: {"Users return to ${other} at once: it still runs on ${othercolor} at the size they need.", ""},
	CodeBackOnceStarted: {
		"Users return to ${other} once its pods on ${othercolor} are started and found healthy, because ${because}: ${wait}.", "",
	},
	CodeBackOnceSettled: {
		"The switch to ${version} is under way; it goes back to ${other} as soon as it is confirmed or has failed.", "",
	},
	CodePreviousUnknown: {
		"It is not recorded what was live before ${version}, so there is nothing to return to.", "Merge a commit that reverts it.",
	},
	CodeNothingBefore: {"${live} is live since ${release} went back to it; there is no version before it to return to.", revert},
	CodeNeverSwitched: {"Turnout has not switched to ${live} from another version, so there is nothing to return to.", revert},
	CodeMovedByOthers: {
		"Traffic was moved to ${color} by something else than Turnout since the last switch.",
		"Look at the Ingress: what to return to cannot be told safely.",
	},
	CodeNothingLive: {"${what} is not what is live: ${application} has no live version at present.", "${next} says why."},
	CodeLiveNotOurs: {
		"${what} is not what is live: ${live} on ${livecolor} is, which Turnout did not release, so there is nothing to return to.", revert,
	},
	CodeNotLive: {
		"${what} is not what is live: ${live} on ${livecolor} is.", "To leave that one, type ${next}; it works on any pull request.",
	},
	CodeNotLiveNoWay: {"${what} is not what is live: ${live} on ${livecolor} is.", ""},

	CodeCancelled: {
		"The release of ${version} is being cancelled: users have not seen it, ${live} stays live. ${next} releases it once more.", "",
	},
	CodeCancelledByBack:  {"The release of ${version} is being cancelled: users have not seen it, ${live} stays live.", ""},
	CodeCancelledAlready: {"The release of ${version} was cancelled by ${by} already; ${live} stays live.", ""},
	CodeTooLate:          {"It is too late to cancel ${version}: users are on it, or on their way.", "Type ${next} to take them back."},
	CodeNothingToCancel:  {"${ended}: there is nothing to cancel. Nothing was changed.", ""},
	CodeOthersUnderWay:   {"${ended}, so there is nothing to cancel here.", ""},

	CodeLocked: {
		"${application} is ${lock}. Until ${next} no release moves users; releases wait, and then go on by themselves. ${then} works all " +
			"the same.", "",
	},
	CodeLockedAlready: {"${application} is ${lock}. Nothing was changed; to give another reason, type ${next} first.", ""},
	CodeLockedSince:   {"${application} is ${wholelock}, and that was after this was written.", askAgain},
	CodeUnlockedSince: {"${application} was unlocked at ${at}, after this was written.", askAgain},
	CodeUnlocked:      {"${application} is unlocked. It was ${lock}.", ""},
	CodeNotLocked:     {"${application} is not locked. Nothing was changed.", ""},

	CodeStatus: {"${status}", ""},
	CodeHelp:   {"${help}", ""},

	CodeBehindLock:    {"${application} is ${lock}. ${next} lets it go on.", ""},
	CodeOtherRollback: {"", "The rollback to ${other} is under way; a rollback is not cancelled."},
	CodeOtherSwitched: {
		"", "${version} is under way, past the point where it can be cancelled: ask for ${next} on ${pulls}.",
	},
	CodeOtherUnderWay:    {"", "${version} is under way: ask for ${next} on ${pulls}."},
	CodeNotHeldTakenBack: {"Users are being taken back from ${version} right now, which the lock does not stop.", ""},
	CodeNotHeldWatched:   {"${version} is live already and only watched, which the lock does not stop.", ""},
	CodeNotHeldSwitching: {
		"Traffic is being switched to ${version} right now, which the lock does not stop: ${next} takes it back.", "",
	},
	CodeGoesOn:           {"${version} goes on.", ""},
	CodeGoesOnToApproval: {"${version} goes on, as far as ${next}.", ""},
	CodeNothingWaited:    {"Nothing waited for it.", ""},
	CodeShrunk:           {"${color} was made smaller since", ""},
	CodeStagedOver:       {"${bareversion} was staged on ${color} since", ""},
	CodeNotLookedAt:      {"what runs of it was not looked at yet", ""},
	CodeTooFewReady:      {"${reason}", ""},

	CodeOtherBranches: {
		"This pull request merges into ${base}; the applications of this repository are released from ${branches}.",
		"Ask on a pull request that was merged there.",
	},
	CodeAmbiguous: {
		"Several applications are released from this repository, and the command does not say which. Nothing was changed.", chooseOne,
	},
	CodeAmbiguousName: {
		"Several applications are released from this repository, and several namespaces have one named ${typed}. Nothing was changed.", chooseOne,
	},
	CodeUnknownApplication: {"${typed} is no application of this repository. Nothing was changed.", chooseOne},
	CodeUnknownWord: {
		"${typed} is neither an application of this repository nor a commit's hash (7 to 64 of 0-9a-f). Nothing was changed.", chooseOne,
	},
	CodeForbidden: {
		"${next} needs the permission *write* in ${repository}, and you have *${permission}*.",
		"Ask somebody who has it to type the command, or a repository administrator for the permission.",
	},
	CodeTooLong: {
		"This comment is longer than ${number} KB, so no command was looked for in it.", "Type the command in a comment of its own.",
	},
	CodeSeveralCommands: {"There are several commands in one comment, and none was executed. Type each in a comment of its own.", ""},
	CodeBadArgument:     {"That argument has characters that no argument may have. ${usage}", ""},
	CodeTooManyWords:    {"${next} was given too many arguments. ${usage}", ""},
	CodeNoHash:          {"Neither ${words} is a commit's hash (7 to 64 of 0-9a-f). ${usage}", ""},
	CodeNearMiss:        {"There is no command ${typed}. Did you mean ${next}?", "Nothing was done. ${then} lists the commands."},
	CodeAskedAfter: {
		"${next} was asked after this, and done, while this could not be. Nothing was changed.", "If you still mean it, ask again: ${then}.",
	},
	CodeNamesTaken: {
		"Every name of the release that this asks for is taken by another one, such as ${release}. Nothing was changed.",
		"Whoever may delete releases takes those away; then ask again.",
	},
	CodeNewerRecord: {
		"A newer version of Turnout has taken over ${application}, and this one changes nothing of it.",
		"Ask whoever runs Turnout to upgrade this one, then ask again.",
	},
	CodeAskedMeanwhile:    {"That was asked before. Nothing was changed.", ""},
	CodeGone:              {"It is gone from the record.", "${next} says what is live."},
	CodeUnlockedMeanwhile: {"${application} was unlocked since you asked. Nothing was changed.", "If you still mean it, ask again."},
	CodeUnlockedByOther:   {"${application} was unlocked by somebody else just now. Nothing was changed.", ""},
	CodeLockedAndUnlocked: {"${application} was locked by somebody else, and unlocked again, just now. Nothing was changed.", ""},
}
