package report

import "github.com/turnout-dev/turnout/bot/command"

// markdownWaits has the comment's text for everything that a release may wait for.
var markdownWaits = map[command.Code]Text{
	"WaitsApproval":           {"it waits for an approval", ""},
	"WaitsApprovalManual":     {"it waits because spec.promotion.mode is Manual", ""},
	"WaitsApprovalRolledBack": {"it waits because it contains ${bareversion}, which ${byrelease} rolled back at ${at}", ""},
	"WaitsApprovalStep":       {"the new version gets ${done} of ${of} requests, and waits for an approval of more", ""},
	"WaitsLock":               {"waits: locked by ${by} since ${at}${detail}", ""},
	"WaitsTurn":               {"waits for ${whose}", ""},
	"WaitsDrainWithdraw":      {"waits until the new version has drained, ${until}", ""},
	"WaitsDrain":              {"waits until the last switch has drained, ${until}", ""},
	"WaitsTakeUp":             {"waits until the load balancer takes up the last switch${detail}", ""},
	"WaitsApplication":        {"waits${detail}", ""},
	"WaitsRepository":         {"waits${detail}", ""},
	"WaitsGrant":              {"waits${detail}", ""},
	"WaitsAnswer":             {"waits for an answer: ${object}", ""},
	"WaitsOldPods":            {"waits until no pod of an older version is left${detail}", ""},
	"WaitsRetry":              {"will try again${detail}", ""},

	"WaitsBuild":                 {"building", ""},
	"WaitsBuildBuilding":         {"building", ""},
	"WaitsBuildQueued":           {"queued in Cloud Build", ""},
	"WaitsBuildAwaitingApproval": {"the build waits for an approval in Cloud Build: approve it there", ""},
	"WaitsBuildListing":          {"a build may have been started: waits for it to be listed", ""},
	"WaitsBuildFound":            {"found the build that was started before", ""},
	"WaitsBuildLost":             {"Cloud Build lost the build (${reason}): builds again, attempt ${again} of ${of}", ""},

	"WaitsPods":         {"${done} of ${of} pods are available", ""},
	"WaitsPodsSeed":     {"starts one pod: the load balancer derives its health check from its readiness probe", ""},
	"WaitsPodsRenewed":  {"recreates the pods of ${object}: they started before the ingress named their service", ""},
	"WaitsPodsStarting": {"starting ${of} pods of ${object}", ""},
	"WaitsPodsRollout":  {"${done} of ${of} pods of ${object} are available", ""},
	"WaitsPodsEnding":   {"${of} pods of ${object} finish their work", ""},
	"WaitsDeployment":   {"deployment ${object} changed meanwhile: looking again", ""},

	"WaitsIngress":               {"changing the routes of ${object}", ""},
	"WaitsIngressAttach":         {"attaching", ""},
	"WaitsIngressDetach":         {"taking the service out of ${object} again", ""},
	"WaitsIngressSwitch":         {"switching", ""},
	"WaitsIngressRestore":        {"moving traffic back", ""},
	"WaitsIngressWeight":         {"dividing users between the two versions", ""},
	"WaitsIngressWithdraw":       {"taking the share of the users back", ""},
	"WaitsIngressLateSwitch":     {"the switch arrived late: looking again", ""},
	"WaitsLoadBalancer":          {"waits for the load balancer${detail}", ""},
	"WaitsLoadBalancerReference": {"waits until the load balancer knows service ${object}${detail}", ""},
	"WaitsLoadBalancerHealth":    {"the load balancer finds ${done} of ${of} pods of service ${object} healthy${detail}", ""},
	"WaitsLoadBalancerEndpoints": {"${done} of ${of} pods are ready endpoints of service ${object}${detail}", ""},
	"WaitsLoadBalancerSwitch":    {"waits for a sign that the load balancer took up the switch${detail}", ""},
	"WaitsLoadBalancerWeight":    {"waits until every Gateway sends ${done} of ${of} requests to the new version${detail}", ""},
	"WaitsLoadBalancerWithdraw":  {"waits until no Gateway sends requests to the new version${detail}", ""},
	"WaitsLoadBalancerTime":      {"gives the load balancer time to take up the switch until ${until}${detail}", ""},

	"WaitsGate":              {"the health gate passed ${done} of ${of} times in a row${detail}", ""},
	"WaitsBaseline":          {"takes a baseline of ${object} until ${until}", ""},
	"WaitsShift":             {"the new version gets ${done} of ${of} requests until ${until}", ""},
	"WaitsShiftNeed":         {"the share of the new version does not grow${detail}", ""},
	"WaitsAddress":           {"measures ${object}${detail}", ""},
	"WaitsAddressTail":       {"measures ${object} until ${until}${detail}", ""},
	"WaitsAddressOldVersion": {"measures ${object} until the old version stops answering${detail}", ""},
	"WaitsSoak":              {"soaks until ${until}", ""},
	"WaitsSoakUnseen":        {"soaks until ${until}; the live pods could not be checked since ${time}${detail}", ""},
	"WaitsSoakUnhealthy":     {"soaks until ${until}; unhealthy since ${time}${detail}", ""},
	"WaitsShiftMetrics": {
		"${done} of ${of} checks of metrics have passed at this share of the users, the others have until ${until}${detail}", "",
	},
	"WaitsSoakMetrics": {
		"soaked until the end; ${done} of ${of} checks of metrics have passed, the others have until ${until}${detail}", "",
	},

	"WaitsMigration":        {"the migration runs since ${time}${detail}", ""},
	"WaitsMigrationPending": {"the migration has not started${detail}", ""},
	"WaitsLive":             {"the live version fails since ${time}, so nobody is moved${detail}", ""},
	"WaitsMigrationEarlier": {"waits until an earlier migration has ended: ${object}", ""},

	CodeMessage: {"${reason}", ""},
}
