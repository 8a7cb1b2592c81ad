package deployer

import (
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The lists of journeys' effects are made of these parts, so that a new effect of a part is written
// once. Their order does not matter.

// Single effects of several journeys.
const (
	enterRepository = "POST configmaps"
	claim           = "application: Active"
	attachGreen     = "PATCH ingresses/ingress add rules/- add annotations/standby.my-python-app"
	stageGreen      = "PATCH deployments/green replace template add replicas add annotations/switch"
	resizeGreen     = "PATCH deployments/green add replicas"
	stampBlue       = "PATCH deployments/blue add annotations/switch"
	moveUsers       = "PATCH ingresses/ingress replace rules/http/paths/backend/service/name"
)

// raiseMinimum, stampScaler and returnMinimum are the writes to a colour's autoscaler.
func raiseMinimum(c v1alpha1.Color) string {
	return "PATCH horizontalpodautoscalers/" + string(c) + " add annotations add annotations/min-replicas add minReplicas"
}

func stampScaler(c v1alpha1.Color) string {
	return "PATCH horizontalpodautoscalers/" + string(c) + " add annotations/switch"
}

func returnMinimum(c v1alpha1.Color) string {
	return "PATCH horizontalpodautoscalers/" + string(c) + " remove annotations/min-replicas add minReplicas"
}

// What a deploy records, part after part.
var (
	untilBuilt = []string{
		"release: OnBranch",
		"release: ClaimedAt",
		"release: Build.IntendedAt",
		"release: Build.ID",
		"release: Built",
	}
	untilVerified = []string{
		"release: AttachedAt",
		"release: Staged",
		"release: WarmedAt",
		"release: Verified",
	}
	untilApproved  = slices.Concat(untilBuilt, untilVerified, []string{"release: Approved"})
	untilConfirmed = []string{
		"release: SwitchIntendedAt",
		"release: SwitchedAt",
		"release: ConfirmedAt",
	}
	untilSoaked = []string{
		"release: SoakStartedAt",
		"release: SoakedAt",
	}
	untilDiscarded = []string{
		resizeGreen,
		"release: DiscardedAt",
		"release: FinishedAt",
	}
)

// leftSwitched ends whatever moved users.
var leftSwitched = []string{
	"application: LastSwitch",
	"release: FinishedAt",
	"application: no Active",
}

// beginDeploy is everything of a deploy until its approval.
var beginDeploy = slices.Concat([]string{enterRepository, claim, "CreateBuild", attachGreen, stageGreen}, untilApproved)

// endDeploy is everything from its switch on.
var endDeploy = slices.Concat([]string{moveUsers}, untilConfirmed, untilSoaked, leftSwitched)

// untilSoak is what a deploy writes again and again during its soak: every write has the whole record.
var untilSoak = slices.Concat([]string{claim}, untilApproved, untilConfirmed, []string{"release: SoakStartedAt"})

// restoring brings users back from a version that failed in its soak.
var restoring = slices.Concat([]string{
	stampBlue,
	moveUsers,
	"release: RestoredAt",
	resizeGreen,
	"application: Shrunk",
}, leftSwitched)

// rollingBack is a rollback, without the move of users.
var rollingBack = slices.Concat([]string{
	claim,
	"release: ClaimedAt",
	stampBlue,
	"release: Staged",
	"release: WarmedAt",
	"application: RolledBack",
}, untilConfirmed, leftSwitched)
