package main

import (
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// terminalWaits has the terminal's text for everything that a release may wait for, and for
// where it stands.
var terminalWaits = map[command.Code]report.Text{
	"WaitsApproval":           {Says: "waits for /promote"},
	"WaitsApprovalManual":     {Says: "waits for /promote: spec.promotion.mode is Manual"},
	"WaitsApprovalRolledBack": {Says: "waits for /promote: it contains ${commit}, which ${byrelease} rolled back at ${at}"},
	"WaitsApprovalStep":       {Says: "gets ${done} of ${of} requests, and waits for /promote"},
	"WaitsLock":               {Says: "waits: locked by ${by} since ${at}${detail}"},
	"WaitsTurn":               {Says: "waits for ${one}"},
	"WaitsDrainWithdraw":      {Says: "waits until the new version has drained, ${until}"},
	"WaitsDrainQueue":         {Says: "waits until the workers of ${object}, which have a queue of their own, are stopped"},
	"WaitsDrain":              {Says: "waits until the last switch has drained, ${until}"},
	"WaitsTakeUp":             {Says: "waits until the load balancer takes up the last switch${detail}"},
	"WaitsApplication":        {Says: "waits${detail}"},
	"WaitsRepository":         {Says: "waits${detail}"},
	"WaitsGrant":              {Says: "waits${detail}"},
	"WaitsAnswer":             {Says: "waits for an answer: ${object}"},
	"WaitsOldPods":            {Says: "waits until no pod of an older version is left${detail}"},
	"WaitsRetry":              {Says: "will try again${detail}"},
	"WaitsMigration":          {Says: "the migration runs since ${time}${detail}"},
	"WaitsMigrationPending":   {Says: "the migration has not started${detail}"},
	"WaitsLive":               {Says: "the live version fails since ${time}, so nobody is moved${detail}"},
	"WaitsMigrationEarlier":   {Says: "waits until an earlier migration has ended: ${object}"},

	"WaitsBuild":                 {Says: "building"},
	"WaitsBuildBuilding":         {Says: "building"},
	"WaitsBuildQueued":           {Says: "queued in Cloud Build"},
	"WaitsBuildAwaitingApproval": {Says: "the build waits for an approval in Cloud Build: approve it there"},
	"WaitsBuildListing":          {Says: "a build may have been started: waits for it to be listed"},
	"WaitsBuildFound":            {Says: "found the build that was started before"},
	"WaitsBuildLost":             {Says: "Cloud Build lost the build (${reason}): builds again, attempt ${again} of ${of}"},

	"WaitsPods":         {Says: "${done} of ${of} pods are available"},
	"WaitsPodsSeed":     {Says: "starts one pod: the load balancer derives its health check from its readiness probe"},
	"WaitsPodsRenewed":  {Says: "recreates the pods of ${object}: they started before the ingress named their service"},
	"WaitsPodsStarting": {Says: "starting ${of} pods of ${object}"},
	"WaitsPodsRollout":  {Says: "${done} of ${of} pods of ${object} are available"},
	"WaitsPodsEnding":   {Says: "${of} pods of ${object} finish their work"},
	"WaitsDeployment":   {Says: "deployment ${object} changed meanwhile: looking again"},

	"WaitsIngress":               {Says: "changing the routes of ${object}"},
	"WaitsIngressAttach":         {Says: "attaching"},
	"WaitsIngressDetach":         {Says: "taking the service out of ${object} again"},
	"WaitsIngressSwitch":         {Says: "switching"},
	"WaitsIngressRestore":        {Says: "moving traffic back"},
	"WaitsIngressWeight":         {Says: "dividing users between the two versions"},
	"WaitsIngressWithdraw":       {Says: "taking the share of the users back"},
	"WaitsIngressLateSwitch":     {Says: "the switch arrived late: looking again"},
	"WaitsLoadBalancer":          {Says: "waits for the load balancer${detail}"},
	"WaitsLoadBalancerReference": {Says: "waits until the load balancer knows service ${object}${detail}"},
	"WaitsLoadBalancerHealth":    {Says: "the load balancer finds ${done} of ${of} pods of service ${object} healthy${detail}"},
	"WaitsLoadBalancerEndpoints": {Says: "${done} of ${of} pods are ready endpoints of service ${object}${detail}"},
	"WaitsLoadBalancerSwitch":    {Says: "waits for a sign that the load balancer took up the switch${detail}"},
	"WaitsLoadBalancerWeight":    {Says: "waits until every Gateway sends ${done} of ${of} requests to the new version${detail}"},
	"WaitsLoadBalancerWithdraw":  {Says: "waits until no Gateway sends requests to the new version${detail}"},
	"WaitsLoadBalancerTime":      {Says: "gives the load balancer time to take up the switch until ${until}${detail}"},

	"WaitsGate":              {Says: "the health gate passed ${done} of ${of} times in a row${detail}"},
	"WaitsBaseline":          {Says: "takes a baseline of ${object} until ${until}"},
	"WaitsShift":             {Says: "the new version gets ${done} of ${of} requests until ${until}"},
	"WaitsShiftNeed":         {Says: "the share of the new version does not grow${detail}"},
	"WaitsAddress":           {Says: "measures ${object}${detail}"},
	"WaitsAddressTail":       {Says: "measures ${object} until ${until}${detail}"},
	"WaitsAddressOldVersion": {Says: "measures ${object} until the old version stops answering${detail}"},
	"WaitsSoak":              {Says: "soaks until ${until}"},
	"WaitsSoakUnseen":        {Says: "soaks until ${until}; the live pods could not be checked since ${time}${detail}"},
	"WaitsSoakUnhealthy":     {Says: "soaks until ${until}; unhealthy since ${time}${detail}"},
	"WaitsShiftMetrics": {Says: "${done} of ${of} checks of metrics have passed at this share of the users, the others have until " +
		"${until}${detail}"},
	"WaitsSoakMetrics": {Says: "soaked until the end; ${done} of ${of} checks of metrics have passed, the others have until " +
		"${until}${detail}"},

	report.CodeMessage: {Says: "${text}"},

	codeUsersHave:      {Says: "users have ${commit}"},
	codeApproved:       {Says: "approved by ${by}, goes on by itself"},
	codeApprovedLocked: {Says: "approved by ${by}; ${because}"},
}
