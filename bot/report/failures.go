package report

import "github.com/turnout-dev/turnout/bot/command"

// markdownFailures has the comment's text for each reason why a release did not succeed.
// The detail is the failure's message: it names objects and quotes others.
var markdownFailures = map[command.Code]Text{
	"FailedLabel":         {"nobody can tell whose release it is${detail}", ""},
	"FailedRepository":    {"its commit is of another repository${detail}", ""},
	"FailedNotOnBranch":   {"its commit is not on the branch${detail}", ""},
	"FailedNotRecorded":   {"the last switch recorded something else${detail}", ""},
	"FailedWayBackClosed": {"its way back is closed${detail}", ""},
	"FailedNotLive":       {"it is not about the live version${detail}", ""},
	"FailedNoContract":    {"there is nothing for it to do${detail}", ""},
	"FailedContract":      {"its command did not succeed${detail}", ""},
	"FailedCancelled":     {"cancelled by ${by}${detail}", ""},
	"FailedNotApproved":   {"nobody approved within ${limit} (spec.promotion.timeout)", ""},
	"FailedInterference":  {"somebody else changed what it works on${detail}", ""},
	"FailedDeadline":      {"a step took too long${detail}", ""},
	"FailedUnstable":      {"it kept changing${detail}", ""},
	"FailedTooLarge":      {"its record is too large${detail}", ""},

	"FailedNoCommit":        {"its commit does not exist${detail}", ""},
	"FailedNoBuildConfig":   {"its build has no configuration${detail}", ""},
	"FailedBuildConfig":     {"its build is not configured correctly${detail}", ""},
	"FailedBuildTrigger":    {"its build trigger cannot be used${detail}", ""},
	"FailedSource":          {"its source did not reach Cloud Build${detail}", ""},
	"FailedBuildRefused":    {"Cloud Build refused its build${detail}", ""},
	"FailedBuildFailed":     {"its build failed${detail}", ""},
	"FailedBuildTimedOut":   {"its build took too long${detail}", ""},
	"FailedBuildCancelled":  {"somebody cancelled its build${detail}", ""},
	"FailedNoDigest":        {"its build did not push the image${detail}", ""},
	"FailedRegistryRefused": {"the registry did not show its image${detail}", ""},

	"FailedTargetInUse":    {"the colour that it would use has users${detail}", ""},
	"FailedLiveUnselected": {"the live service lost its pods${detail}", ""},
	"FailedTranslate":      {"the load balancer cannot use the routes${detail}", ""},
	"FailedPorts":          {"the services of the two colours have different ports${detail}", ""},
	"FailedGateSpec":       {"its health gate cannot be used${detail}", ""},
	"FailedGateUnseen":     {"its health gate could not reach the pods${detail}", ""},
	"FailedGateFailed":     {"it is not healthy${detail}", ""},
	"FailedPublicAddress":  {"users see failures${detail}", ""},
	"FailedNotTakenUp":     {"its switch took no effect${detail}", ""},
	"FailedWeight":         {"its share of the users took no effect${detail}", ""},
	"FailedSoakFailed":     {"it became unhealthy under live traffic${detail}", ""},
	"FailedSoakUnseen":     {"it could not be watched under live traffic${detail}", ""},
	"FailedCrashLoop":      {"it was restarted under live traffic${detail}", ""},
	"FailedExpandFailed":   {"its migration failed${detail}", ""},
	"FailedExpandUnknown":  {"nobody knows how its migration ended${detail}", ""},
	"FailedLiveSuffers":    {"the live version suffers${detail}", ""},
	"FailedCheckFailed":    {"its metrics are bad under live traffic${detail}", ""},
	"FailedMetricsUnseen":  {"its metrics gave no verdict in time${detail}", ""},

	"FailedFailedCreate":               {"its pods cannot be created${detail}", ""},
	"FailedInvalidImageName":           {"the name of its image is not valid${detail}", ""},
	"FailedErrImageNeverPull":          {"its image is not on the node, and may not be pulled${detail}", ""},
	"FailedErrImagePull":               {"its image cannot be pulled${detail}", ""},
	"FailedImagePullBackOff":           {"its image cannot be pulled${detail}", ""},
	"FailedCreateContainerConfigError": {"its container refers to something that is missing${detail}", ""},
	"FailedCreateContainerError":       {"its container cannot be created${detail}", ""},
	"FailedRunContainerError":          {"its container cannot be run${detail}", ""},
	"FailedCrashLoopBackOff":           {"its container does not stay up${detail}", ""},
	"FailedOOMKilled":                  {"its container needs more memory than its limit${detail}", ""},

	"FailedSupersededNewer":  {"superseded by ${whose}", ""},
	"FailedSupersededLive":   {"${barelive} is already live", ""},
	"FailedSupersededBehind": {"${bareversion} is behind the live version ${barelive}; to go back, use /rollback", ""},
	"FailedSupersededLate": {
		"the push of ${bareversion} came late: it is part of ${barelive}, which users had and left (${byrelease}); to release it all the " +
			"same, use /promote on its pull request", "",
	},
	"FailedRolledBack": {"gives way to ${whose}", ""},
	CodeFailed:         {"${reason}", ""},
}
