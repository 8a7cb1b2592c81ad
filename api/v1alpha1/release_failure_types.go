package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FailureClass says what was at fault, which decides what happens next.
//
// +kubebuilder:validation:Enum=Release;World;Interference;Cancelled;Superseded
type FailureClass string

// What was at fault.
const (
	FaultRelease      FailureClass = "Release"      // the release itself: undone, phase Failed
	FaultWorld        FailureClass = "World"        // its environment: undone before the switch, left alone after, phase Error
	FaultInterference FailureClass = "Interference" // somebody changed the release's objects: nothing is touched, phase Error
	FaultCancelled    FailureClass = "Cancelled"    // a person asked, or nobody approved in time: undone, phase Cancelled
	FaultSuperseded   FailureClass = "Superseded"   // a newer release: undone, phase Superseded
)

// Failure says why a release did not succeed.
type Failure struct {
	// Class says what was at fault.
	Class FailureClass `json:"class"`

	// Step of the failure.
	Step Step `json:"step,omitempty"`

	// Reason is one word for machines.
	Reason FailureReason `json:"reason"`

	// Because says more, if a reason has several causes.
	Because FailureBecause `json:"because,omitempty"`

	// By is the person in the reason: who cancelled it, or rolled back the version that
	// contains it.
	By string `json:"by,omitempty"`

	// Release in the reason: the successor, the live release, or the one that moved users
	// off the version that contains this one.
	Release string `json:"release,omitempty"`

	// Commit in the reason: the live one, or the one that users left.
	Commit string `json:"commit,omitempty"`

	// Since is when users left that commit.
	Since *metav1.Time `json:"since,omitempty"`

	// Limit is the time limit that was reached.
	Limit *metav1.Duration `json:"limit,omitempty"`

	// Waited is what the step waited for when its time limit was reached.
	Waited *Waiting `json:"waited,omitempty"`

	// Message is for people: object, what is wrong, the way out.
	Message string `json:"message"`

	// Commands that fix it, to paste into a shell in this order.
	// +listType=atomic
	// +optional
	Commands []ShellCommand `json:"commands,omitempty"`

	// Evidence of the failure.
	Evidence []Evidence `json:"evidence,omitempty"`

	// File of the repository that is wrong, if there is one.
	File string `json:"file,omitempty"`

	// Line of that file, from 1; 0 if unknown.
	Line int32 `json:"line,omitempty"`

	// At is the time of the failure.
	At metav1.Time `json:"at"`
}

// FailureReason is why a release did not succeed, in one word. A record of an older version
// may have other words.
type FailureReason string

// Why a release did not succeed.
const (
	FailedLabel        FailureReason = "Label"         // its label and spec.application name different applications
	FailedRepository   FailureReason = "Repository"    // its commit is of another repository than the application's
	FailedNotOnBranch  FailureReason = "NotOnBranch"   // its commit is not of the application's branch
	FailedNotRecorded  FailureReason = "NotRecorded"   // a rollback is not what the last switch recorded
	FailedSuperseded   FailureReason = "Superseded"    // another version took its place, see because
	FailedWayClosed    FailureReason = "WayBackClosed" // a contract removed what the version to return to needs
	FailedRolledBack   FailureReason = "RolledBack"    // it gave way to a rollback
	FailedCancelled    FailureReason = "Cancelled"     // a person cancelled it
	FailedNotApproved  FailureReason = "NotApproved"   // nobody approved in time
	FailedInterference FailureReason = "Interference"  // somebody else changed its objects
	FailedDeadline     FailureReason = "Deadline"      // a step's time was up
	FailedUnstable     FailureReason = "Unstable"      // the target kept changing
	FailedTooLarge     FailureReason = "TooLarge"      // its status is too large to record
	FailedNotLive      FailureReason = "NotLive"       // a contract's version is not the live one, or not any more
	FailedNoContract   FailureReason = "NoContract"    // spec.migrations.contract is not set, or nothing is to be declared done
	FailedContract     FailureReason = "Contract"      // a contract's command failed, or nobody knows what became of it

	FailedNoCommit        FailureReason = "NoCommit"        // the repository has no such commit
	FailedNoBuildConfig   FailureReason = "NoBuildConfig"   // the file of the build does not exist at the commit
	FailedBuildConfig     FailureReason = "BuildConfig"     // the file of the build is wrong
	FailedBuildTrigger    FailureReason = "BuildTrigger"    // the build trigger cannot be run, or runs something else
	FailedSource          FailureReason = "Source"          // the source could not be uploaded to Cloud Build
	FailedBuildRefused    FailureReason = "BuildRefused"    // Cloud Build refused the build
	FailedBuildFailed     FailureReason = "BuildFailed"     // the build failed
	FailedBuildTimedOut   FailureReason = "BuildTimedOut"   // the build took too long, or waited too long in the queue
	FailedBuildCancelled  FailureReason = "BuildCancelled"  // somebody cancelled the build in Cloud Build
	FailedNoDigest        FailureReason = "NoDigest"        // the build pushed no image of that name
	FailedRegistryRefused FailureReason = "RegistryRefused" // the registry refused to show the image

	FailedTargetInUse    FailureReason = "TargetInUse"    // another Ingress routes users to the target
	FailedLiveUnselected FailureReason = "LiveUnselected" // the live Service does not select its own pods
	FailedTranslate      FailureReason = "Translate"      // the load balancer's controller cannot use the Ingress
	FailedPorts          FailureReason = "Ports"          // the colours' Services differ in the ports that the Ingress names
	FailedGateSpec       FailureReason = "GateSpec"       // spec.gate cannot be carried out
	FailedGateUnseen     FailureReason = "GateUnseen"     // the gate could not reach the pods
	FailedGate           FailureReason = "GateFailed"     // a pod failed the gate
	FailedPublicAddress  FailureReason = "PublicAddress"  // the public address fails since the switch
	FailedNotTakenUp     FailureReason = "NotTakenUp"     // the switch took no effect in time
	FailedWeight         FailureReason = "Weight"         // a share of the users took no effect in time
	FailedSoak           FailureReason = "SoakFailed"     // the live pods were unhealthy for too long
	FailedSoakUnseen     FailureReason = "SoakUnseen"     // the live pods could not be checked
	FailedSoakRestarts   FailureReason = "CrashLoop"      // containers of the live pods were restarted
	FailedExpand         FailureReason = "ExpandFailed"   // the migration that prepares the schema failed, or cannot be run
	FailedExpandUnknown  FailureReason = "ExpandUnknown"  // nobody can say whether that migration ran to its end
	FailedLiveSuffers    FailureReason = "LiveSuffers"    // the live version fails since the migration that prepares the schema
	FailedCheck          FailureReason = "CheckFailed"    // a metric of the new version is bad, see status.analysis
	FailedMetricsUnseen  FailureReason = "MetricsUnseen"  // a check of metrics had no verdict in time

	// Reasons of pods that do not start are Kubernetes' words.
	FailedCreate                     FailureReason = "FailedCreate"               // pods cannot be created
	FailedInvalidImageName           FailureReason = "InvalidImageName"           // the image's name is not valid
	FailedErrImageNeverPull          FailureReason = "ErrImageNeverPull"          // the image is not on the node, and may not be pulled
	FailedErrImagePull               FailureReason = "ErrImagePull"               // the image cannot be pulled
	FailedImagePullBackOff           FailureReason = "ImagePullBackOff"           // the image cannot be pulled, again and again
	FailedCreateContainerConfigError FailureReason = "CreateContainerConfigError" // the container refers to something that is missing
	FailedCreateContainerError       FailureReason = "CreateContainerError"       // the container cannot be created
	FailedRunContainerError          FailureReason = "RunContainerError"          // the container cannot be run
	FailedCrashLoopBackOff           FailureReason = "CrashLoopBackOff"           // the container ends again and again
	FailedOOMKilled                  FailureReason = "OOMKilled"                  // the container used more memory than its limit
)

// FailureBecause says more about the reason Superseded.
//
// +kubebuilder:validation:Enum=Newer;Live;Behind;Late
type FailureBecause string

// What superseded a release.
const (
	SupersededByNewer  FailureBecause = "Newer"  // a newer release
	SupersededByLive   FailureBecause = "Live"   // its commit is already live
	SupersededByBehind FailureBecause = "Behind" // the live version, which contains its commit
	SupersededByLate   FailureBecause = "Late"   // a version that users had and left, and that contains its commit
)
