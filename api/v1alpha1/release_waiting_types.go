package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Waiting says in facts what a release waits for. Each surface has its own text for it.
type Waiting struct {
	// For is what it waits for.
	For WaitingFor `json:"for"`

	// Because says why, if there are several reasons.
	Because WaitingBecause `json:"because,omitempty"`

	// By is who caused it: who locked the application, or rolled the commit back.
	By string `json:"by,omitempty"`

	// Release that comes first, or that rolled the commit back.
	Release string `json:"release,omitempty"`

	// Commit that was rolled back and that this release contains.
	Commit string `json:"commit,omitempty"`

	// Object that it waits for: the name of a Deployment, Service or Ingress, an address,
	// or what Turnout asks.
	Object string `json:"object,omitempty"`

	// Done is how many are done, such as ready pods.
	Done int32 `json:"done,omitempty"`

	// Of is how many there should be; 0 if nothing is counted.
	Of int32 `json:"of,omitempty"`

	// Since is when the reason began: the lock, the rollback, or a soak's trouble. Unset if
	// the reason has no time.
	Since *metav1.Time `json:"since,omitempty"`

	// Until is when the wait ends at the latest, if known.
	Until *metav1.Time `json:"until,omitempty"`

	// Detail is for people: the reason of a lock, an error, or what pods lack.
	Detail string `json:"detail,omitempty"`
}

// WaitingFor is what a release waits for.
//
// +kubebuilder:validation:Enum=Approval;Lock;Turn;Drain;TakeUp;Application;Repository;Grant;Build;Pods;Deployment;Ingress;LoadBalancer;Gate;Baseline;Shift;Address;Soak;Answer;Retry;Migration;Live;OldPods
type WaitingFor string

// What a release waits for.
const (
	WaitsForApproval     WaitingFor = "Approval"     // a person approves the switch
	WaitsForLock         WaitingFor = "Lock"         // a person unlocks the application
	WaitsForTurn         WaitingFor = "Turn"         // another release ends
	WaitsForDrain        WaitingFor = "Drain"        // the old colour is no longer in use
	WaitsForTakeUp       WaitingFor = "TakeUp"       // the load balancer takes up the last switch
	WaitsForApplication  WaitingFor = "Application"  // somebody fixes an object that every release needs; see the condition Ready
	WaitsForRepository   WaitingFor = "Repository"   // the repository can be read, is the pinned one, and has its branch
	WaitsForGrant        WaitingFor = "Grant"        // the namespace is granted what the build needs
	WaitsForBuild        WaitingFor = "Build"        // Cloud Build
	WaitsForPods         WaitingFor = "Pods"         // the target's pods
	WaitsForDeployment   WaitingFor = "Deployment"   // somebody else wrote the Deployment at the same moment: it is read again
	WaitsForIngress      WaitingFor = "Ingress"      // the Ingress, as this release writes it
	WaitsForLoadBalancer WaitingFor = "LoadBalancer" // the load balancer knows a Service, finds pods healthy, or takes up the switch
	WaitsForGate         WaitingFor = "Gate"         // the health gate's rounds
	WaitsForBaseline     WaitingFor = "Baseline"     // the public address is measured before the switch
	WaitsForShift        WaitingFor = "Shift"        // the new version had its share of the users for long enough
	WaitsForAddress      WaitingFor = "Address"      // the public address is measured after the switch
	WaitsForSoak         WaitingFor = "Soak"         // the new version is watched under live traffic
	WaitsForAnswer       WaitingFor = "Answer"       // GitHub, Cloud Build, Cloud Storage or a registry answers
	WaitsForRetry        WaitingFor = "Retry"        // something failed and is retried
	WaitsForMigration    WaitingFor = "Migration"    // a migration of the schema
	WaitsForLive         WaitingFor = "Live"         // the live version, which fails since a migration, is well again
	WaitsForOldPods      WaitingFor = "OldPods"      // no pod of an older version is left, and nothing that would start one
)

// WaitingBecause is why a release waits. For Application, Repository and Grant it is the
// reason of the condition Ready.
//
// +kubebuilder:validation:Enum=Manual;RolledBack;Step;Building;Queued;AwaitingApproval;Listing;Found;Lost;Seed;Renewed;Starting;Rollout;Ending;Queue;Attach;Detach;Switch;Restore;LateSwitch;Weight;Withdraw;Need;Reference;Health;Endpoints;Time;Tail;OldVersion;Unseen;Unhealthy;Metrics;NotGranted;RepositoryChanged;NotInstalled;BranchMissing;IngressMissing;NotRouted;MixedRoutes;ServiceMissing;DeploymentMissing;ServiceShared;Selector;StandbyHost;Container;Preflight;Earlier;Pending
type WaitingBecause string

// Why a release waits.
const (
	BecauseManual     WaitingBecause = "Manual"     // Approval: spec.promotion.mode is Manual
	BecauseRolledBack WaitingBecause = "RolledBack" // Approval: it contains a commit that was rolled back
	BecauseStep       WaitingBecause = "Step"       // Approval: of a step of the canary that ends with it

	BecauseBuilding         WaitingBecause = "Building"         // Build: it is under way
	BecauseQueued           WaitingBecause = "Queued"           // Build: it is in Cloud Build's queue
	BecauseAwaitingApproval WaitingBecause = "AwaitingApproval" // Build: a person must approve it in Cloud Build
	BecauseListing          WaitingBecause = "Listing"          // Build: one may have been started, and is not listed yet
	BecauseFound            WaitingBecause = "Found"            // Build: an earlier build was found
	BecauseLost             WaitingBecause = "Lost"             // Build: Cloud Build lost it, and it starts again

	BecauseSeed     WaitingBecause = "Seed"     // Pods: one: the load balancer derives its health check from its readiness probe
	BecauseRenewed  WaitingBecause = "Renewed"  // Pods: those started before the Ingress named their Service are recreated
	BecauseStarting WaitingBecause = "Starting" // Pods: the Deployment was written just now
	BecauseRollout  WaitingBecause = "Rollout"  // Pods: they are not all available yet
	BecauseEnding   WaitingBecause = "Ending"   // Pods: those of stopped workers have not ended yet
	BecauseQueue    WaitingBecause = "Queue"    // Drain: workers of the old colour work on until their queue is empty

	BecauseAttach     WaitingBecause = "Attach"     // Ingress: it will name the target's Service
	BecauseDetach     WaitingBecause = "Detach"     // Ingress: it will no longer name the target's Service
	BecauseSwitch     WaitingBecause = "Switch"     // Ingress: it will route users to the target; LoadBalancer: no sign yet that it does
	BecauseRestore    WaitingBecause = "Restore"    // Ingress: it will route users back
	BecauseLateSwitch WaitingBecause = "LateSwitch" // Ingress: the switch arrived while it was being undone

	BecauseWeight   WaitingBecause = "Weight"   // Ingress: it is to give the target a share; LoadBalancer: it is to tell that it does
	BecauseWithdraw WaitingBecause = "Withdraw" // the same of the share 0; Drain: front ends may still send users to the target
	BecauseNeed     WaitingBecause = "Need"     // Shift: something that a larger share needs does not hold

	BecauseReference WaitingBecause = "Reference" // LoadBalancer: it does not know the target's Service yet
	BecauseHealth    WaitingBecause = "Health"    // LoadBalancer: it does not find all pods healthy yet
	BecauseEndpoints WaitingBecause = "Endpoints" // LoadBalancer: not all pods are ready endpoints of the Service yet
	BecauseTime      WaitingBecause = "Time"      // LoadBalancer: it gives no sign, so Turnout waits for a fixed time

	BecauseTail       WaitingBecause = "Tail"       // Address: it is measured for a while after the switch took effect
	BecauseOldVersion WaitingBecause = "OldVersion" // Address: the old version still answers

	BecauseUnseen    WaitingBecause = "Unseen"    // Soak: the live pods cannot be checked
	BecauseUnhealthy WaitingBecause = "Unhealthy" // Soak: the live pods are unhealthy
	BecauseEarlier   WaitingBecause = "Earlier"   // Migration: an earlier one has not ended
	BecausePending   WaitingBecause = "Pending"   // Migration: its pod does not run yet

	BecauseMetrics WaitingBecause = "Metrics" // Soak, Shift: its time is up, and not every check of metrics has passed
)
