package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FailureClass says whose fault it was, which decides what is done about it.
//
// +kubebuilder:validation:Enum=Release;World;Interference;Cancelled;Superseded
type FailureClass string

// Whose fault it was.
const (
	FaultRelease      FailureClass = "Release"      // what is released: undone, phase Failed
	FaultWorld        FailureClass = "World"        // what it needs: undone before the switch, left alone after, phase Error
	FaultInterference FailureClass = "Interference" // someone changed our objects: nothing is touched, phase Error
	FaultCancelled    FailureClass = "Cancelled"    // a person asked, or nobody approved in time: undone, phase Cancelled
	FaultSuperseded   FailureClass = "Superseded"   // a newer release: undone, phase Superseded
)

// Failure says why a release does not succeed.
type Failure struct {
	// Class says whose fault it was.
	Class FailureClass `json:"class"`

	// Step at which it happened.
	Step Step `json:"step,omitempty"`

	// Reason is one word for machines.
	Reason FailureReason `json:"reason"`

	// Because says more, where a reason has several causes.
	Because FailureBecause `json:"because,omitempty"`

	// By is the person in the reason: who cancelled it, or rolled back the version that
	// contains it.
	By string `json:"by,omitempty"`

	// Release in the reason: the one that took this one's place, is live, or moved users
	// off the version that contains this one.
	Release string `json:"release,omitempty"`

	// Commit in the reason: the live one, or the one that users left.
	Commit string `json:"commit,omitempty"`

	// Since is when users left that commit.
	Since *metav1.Time `json:"since,omitempty"`

	// Limit is the time limit that was reached.
	Limit *metav1.Duration `json:"limit,omitempty"`

	// Waited is what it waited for when the step's time limit was reached.
	Waited *Waiting `json:"waited,omitempty"`

	// Message says it to a person: object, what is wrong, the way out.
	Message string `json:"message"`

	// Commands that mend it, to paste into a shell in this order.
	// +listType=atomic
	// +optional
	Commands []ShellCommand `json:"commands,omitempty"`

	// Evidence of it.
	Evidence []Evidence `json:"evidence,omitempty"`

	// File of the repository that is wrong, if one is.
	File string `json:"file,omitempty"`

	// Line of that file, from 1; 0 if unknown.
	Line int32 `json:"line,omitempty"`

	// At is when.
	At metav1.Time `json:"at"`
}

// FailureReason is why a release does not succeed, in one word. A record of an older
// version may have other words.
type FailureReason string

// Why a release does not succeed.
const (
	FailedLabel        FailureReason = "Label"        // its label and spec.application name different applications
	FailedRepository   FailureReason = "Repository"   // its commit is of another repository than the application's
	FailedNotOnBranch  FailureReason = "NotOnBranch"  // its commit is not of the application's branch
	FailedNotRecorded  FailureReason = "NotRecorded"  // a rollback is not what the last switch recorded
	FailedSuperseded   FailureReason = "Superseded"   // another version took its place, see because
	FailedRolledBack   FailureReason = "RolledBack"   // it gave way to a rollback
	FailedCancelled    FailureReason = "Cancelled"    // a person cancelled it
	FailedNotApproved  FailureReason = "NotApproved"  // nobody approved in time
	FailedInterference FailureReason = "Interference" // somebody else changed its objects
	FailedDeadline     FailureReason = "Deadline"     // a step's time was up
	FailedUnstable     FailureReason = "Unstable"     // the target kept changing
	FailedTooLarge     FailureReason = "TooLarge"     // what it came to cannot be recorded

	FailedNoCommit        FailureReason = "NoCommit"        // the repository has no such commit
	FailedNoBuildConfig   FailureReason = "NoBuildConfig"   // the file of the build does not exist at the commit
	FailedBuildConfig     FailureReason = "BuildConfig"     // the file of the build is wrong
	FailedBuildTrigger    FailureReason = "BuildTrigger"    // the build trigger cannot be run, or runs something else
	FailedSource          FailureReason = "Source"          // the source cannot be brought to Cloud Build
	FailedBuildRefused    FailureReason = "BuildRefused"    // Cloud Build refused the build
	FailedBuildFailed     FailureReason = "BuildFailed"     // the build failed
	FailedBuildTimedOut   FailureReason = "BuildTimedOut"   // the build took too long, or waited too long in the queue
	FailedBuildCancelled  FailureReason = "BuildCancelled"  // somebody cancelled the build in Cloud Build
	FailedNoDigest        FailureReason = "NoDigest"        // the build pushed no image of that name
	FailedRegistryRefused FailureReason = "RegistryRefused" // the registry cannot be asked for the image

	FailedTargetInUse    FailureReason = "TargetInUse"    // another Ingress routes users to the target
	FailedLiveUnselected FailureReason = "LiveUnselected" // the live Service does not select its own pods
	FailedTranslate      FailureReason = "Translate"      // the load balancer's controller cannot use the Ingress
	FailedPorts          FailureReason = "Ports"          // the colours' Services differ in the ports that the Ingress names
	FailedGateSpec       FailureReason = "GateSpec"       // the gate cannot be asked as spec.gate has it
	FailedGateUnseen     FailureReason = "GateUnseen"     // the gate could not look
	FailedGate           FailureReason = "GateFailed"     // a pod failed the gate
	FailedPublicAddress  FailureReason = "PublicAddress"  // the public address fails since the switch
	FailedNotTakenUp     FailureReason = "NotTakenUp"     // the switch took no effect in time
	FailedSoak           FailureReason = "SoakFailed"     // the live pods were unhealthy for too long
	FailedSoakUnseen     FailureReason = "SoakUnseen"     // the live pods could not be looked at
	FailedSoakRestarts   FailureReason = "CrashLoop"      // containers of the live pods were restarted
	FailedCheck          FailureReason = "CheckFailed"    // a metric of the new version is bad, see status.analysis
	FailedMetricsUnseen  FailureReason = "MetricsUnseen"  // a check of metrics had no verdict in time

	// Those of pods that do not start are in Kubernetes' words.
	FailedCreate                     FailureReason = "FailedCreate"               // pods cannot be created
	FailedInvalidImageName           FailureReason = "InvalidImageName"           // the image's name is none
	FailedErrImageNeverPull          FailureReason = "ErrImageNeverPull"          // the image is not on the node, and may not be pulled
	FailedErrImagePull               FailureReason = "ErrImagePull"               // the image cannot be pulled
	FailedImagePullBackOff           FailureReason = "ImagePullBackOff"           // the image cannot be pulled, again and again
	FailedCreateContainerConfigError FailureReason = "CreateContainerConfigError" // the container refers to something that is missing
	FailedCreateContainerError       FailureReason = "CreateContainerError"       // the container cannot be created
	FailedRunContainerError          FailureReason = "RunContainerError"          // the container cannot be run
	FailedCrashLoopBackOff           FailureReason = "CrashLoopBackOff"           // the container ends again and again
	FailedOOMKilled                  FailureReason = "OOMKilled"                  // the container used more memory than its limit
)

// FailureBecause says more of the reason Superseded.
//
// +kubebuilder:validation:Enum=Newer;Live;Behind;Late
type FailureBecause string

// What took the place of a release that is superseded.
const (
	SupersededByNewer  FailureBecause = "Newer"  // a newer release
	SupersededByLive   FailureBecause = "Live"   // its commit is live already
	SupersededByBehind FailureBecause = "Behind" // the live version, which contains its commit
	SupersededByLate   FailureBecause = "Late"   // a version that users had and left, and that contains its commit
)
