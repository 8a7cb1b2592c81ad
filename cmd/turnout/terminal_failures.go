package main

import (
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// terminalFailures has the terminal's text for each reason why a release did not succeed.
// The detail is the failure's message: it names objects and quotes others.
var terminalFailures = map[command.Code]report.Text{
	"FailedLabel":         {Says: "nobody can tell whose release it is${detail}"},
	"FailedRepository":    {Says: "its commit is of another repository${detail}"},
	"FailedNotOnBranch":   {Says: "its commit is not on the branch${detail}"},
	"FailedNotRecorded":   {Says: "the last switch recorded something else${detail}"},
	"FailedWayBackClosed": {Says: "its way back is closed${detail}"},
	"FailedNotLive":       {Says: "it is not about the live version${detail}"},
	"FailedNoContract":    {Says: "there is nothing for it to do${detail}"},
	"FailedContract":      {Says: "its command did not succeed${detail}"},
	"FailedCancelled":     {Says: "cancelled by ${by}${detail}"},
	"FailedNotApproved":   {Says: "nobody approved within ${limit} (spec.promotion.timeout)"},
	"FailedInterference":  {Says: "somebody else changed what it works on${detail}"},
	"FailedDeadline":      {Says: "a step took too long${detail}"},
	"FailedUnstable":      {Says: "it kept changing${detail}"},
	"FailedTooLarge":      {Says: "its record is too large${detail}"},

	"FailedNoCommit":        {Says: "its commit does not exist${detail}"},
	"FailedNoBuildConfig":   {Says: "its build has no configuration${detail}"},
	"FailedBuildConfig":     {Says: "its build is not configured correctly${detail}"},
	"FailedBuildTrigger":    {Says: "its build trigger cannot be used${detail}"},
	"FailedSource":          {Says: "its source did not reach Cloud Build${detail}"},
	"FailedBuildRefused":    {Says: "Cloud Build refused its build${detail}"},
	"FailedBuildFailed":     {Says: "its build failed${detail}"},
	"FailedBuildTimedOut":   {Says: "its build took too long${detail}"},
	"FailedBuildCancelled":  {Says: "somebody cancelled its build${detail}"},
	"FailedNoDigest":        {Says: "its build did not push the image${detail}"},
	"FailedRegistryRefused": {Says: "the registry did not show its image${detail}"},

	"FailedTargetInUse":    {Says: "the colour that it would use has users${detail}"},
	"FailedLiveUnselected": {Says: "the live service lost its pods${detail}"},
	"FailedTranslate":      {Says: "the load balancer cannot use the routes${detail}"},
	"FailedPorts":          {Says: "the services of the two colours have different ports${detail}"},
	"FailedGateSpec":       {Says: "its health gate cannot be used${detail}"},
	"FailedGateUnseen":     {Says: "its health gate could not reach the pods${detail}"},
	"FailedGateFailed":     {Says: "it is not healthy${detail}"},
	"FailedPublicAddress":  {Says: "users see failures${detail}"},
	"FailedNotTakenUp":     {Says: "its switch took no effect${detail}"},
	"FailedWeight":         {Says: "its share of the users took no effect${detail}"},
	"FailedSoakFailed":     {Says: "it became unhealthy under live traffic${detail}"},
	"FailedSoakUnseen":     {Says: "it could not be watched under live traffic${detail}"},
	"FailedCrashLoop":      {Says: "it was restarted under live traffic${detail}"},
	"FailedExpandFailed":   {Says: "its migration failed${detail}"},
	"FailedExpandUnknown":  {Says: "nobody knows how its migration ended${detail}"},
	"FailedLiveSuffers":    {Says: "the live version suffers${detail}"},
	"FailedCheckFailed":    {Says: "its metrics are bad under live traffic${detail}"},
	"FailedMetricsUnseen":  {Says: "its metrics gave no verdict in time${detail}"},

	"FailedFailedCreate":               {Says: "its pods cannot be created${detail}"},
	"FailedInvalidImageName":           {Says: "the name of its image is not valid${detail}"},
	"FailedErrImageNeverPull":          {Says: "its image is not on the node, and may not be pulled${detail}"},
	"FailedErrImagePull":               {Says: "its image cannot be pulled${detail}"},
	"FailedImagePullBackOff":           {Says: "its image cannot be pulled${detail}"},
	"FailedCreateContainerConfigError": {Says: "its container refers to something that is missing${detail}"},
	"FailedCreateContainerError":       {Says: "its container cannot be created${detail}"},
	"FailedRunContainerError":          {Says: "its container cannot be run${detail}"},
	"FailedCrashLoopBackOff":           {Says: "its container does not stay up${detail}"},
	"FailedOOMKilled":                  {Says: "its container needs more memory than its limit${detail}"},

	"FailedSupersededNewer":  {Says: "superseded by ${one}"},
	"FailedSupersededLive":   {Says: "${livename} is already live"},
	"FailedSupersededBehind": {Says: "${commit} is behind the live version ${livename}; to go back, use /rollback"},
	"FailedSupersededLate": {
		Says: "the push of ${commit} came late: it is part of ${livename}, which users had and left (${byrelease}); to release it all the " +
			"same, use /promote on its pull request",
	},
	"FailedRolledBack": {Says: "gives way to ${one}"},
	report.CodeFailed:  {Says: "${text}"},
}
