package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Step is one row of a track; see deployer/track.
type Step string

// The steps of the three tracks.
const (
	StepBuild   Step = "build"   // the commit's image exists, known by digest
	StepExpand  Step = "expand"  // the schema gets what the new version needs
	StepAttach  Step = "attach"  // the target's Service is referenced under the standby host
	StepStage   Step = "stage"   // the target runs the image, at the live colour's size
	StepWarm    Step = "warm"    // the load balancer finds every endpoint of the target healthy
	StepVerify  Step = "verify"  // the health gate passes on every pod of the target
	StepPromote Step = "promote" // the switch is approved
	StepShift   Step = "shift"   // the target gets a growing share of the users
	StepWorkers Step = "workers" // the target's workers run, and those of the previous version have ended
	StepSwitch  Step = "switch"  // one patch moves the traffic
	StepConfirm Step = "confirm" // the public address answers
	// the singletons and CronJobs get the image of the version that users have
	StepSingletons Step = "singletons"

	StepSoak     Step = "soak"     // watched under live traffic
	StepRecall   Step = "recall"   // the workers of the version to return to are started
	StepRestore  Step = "restore"  // traffic goes back to the previous colour
	StepWithdraw Step = "withdraw" // the target's share goes back to 0
	StepRelieve  Step = "relieve"  // the workers of the version that users left are stopped
	StepDiscard  Step = "discard"  // the target is shrunk
	StepSize     Step = "size"     // the version to return to runs, at the live colour's size
	StepContract Step = "contract" // the schema loses what only older versions needed
)

// BuildStatus is a plain handle of a build, enough to find it after a crash.
type BuildStatus struct {
	// Project of the build.
	Project string `json:"project"`

	// Location of the build.
	Location string `json:"location"`

	// Tag of the build, by which Turnout finds it. A triggered build has the part after
	// "turnout-" in its substitution _TURNOUT_RELEASE instead.
	Tag string `json:"tag"`

	// IntendedAt is when Turnout was about to start it.
	IntendedAt metav1.MicroTime `json:"intendedAt"`

	// ID of the build, once it is known.
	ID string `json:"id,omitempty"`

	// LogURL of the build.
	LogURL string `json:"logURL,omitempty"`

	// State is Cloud Build's word for the build's state.
	State string `json:"state,omitempty"`

	// Image is the name, without a tag, of the image to deploy.
	Image string `json:"image,omitempty"`

	// Reference is the name and tag under which a build step pushes the image itself, so
	// that Cloud Build reports no digest: Turnout asks the registry for it. It contains
	// the commit or $BUILD_ID.
	Reference string `json:"reference,omitempty"`

	// Images are the other images that the spec names.
	// +kubebuilder:validation:MaxItems=40
	// +listType=atomic
	Images []BuildImage `json:"images,omitempty"`

	// Trigger is the id of the build trigger that was run; empty if the build was
	// created from the file at the commit.
	Trigger string `json:"trigger,omitempty"`

	// Retries counts the builds before this one that Cloud Build itself lost, with
	// INTERNAL_ERROR or EXPIRED; at most 2.
	Retries int32 `json:"retries,omitempty"`

	// CreatedAt is when Cloud Build accepted the build.
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// StartedAt is when Cloud Build began to work on it. Until then it is queued.
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// CancelledAt is when its cancellation was accepted.
	CancelledAt *metav1.Time `json:"cancelledAt,omitempty"`
}

// GateStatus is the state of the health gate's rounds.
type GateStatus struct {
	// StartedAt is when the gate's clock began.
	StartedAt metav1.MicroTime `json:"startedAt"`

	// LastRoundAt is when the last round ended.
	LastRoundAt *metav1.MicroTime `json:"lastRoundAt,omitempty"`

	// Passed counts the rounds passed in a row.
	Passed int32 `json:"passed,omitempty"`

	// TemplateHash of the pods that were asked. Another hash starts over.
	TemplateHash string `json:"templateHash,omitempty"`

	// Pods that were asked, in order.
	Pods []string `json:"pods,omitempty"`

	// Check describes what the gate asks of them.
	Check string `json:"check,omitempty"`

	// Problem is what the last round found wrong, if anything.
	Problem *Evidence `json:"problem,omitempty"`
}

// SoakStatus is the state of the watch under live traffic.
type SoakStatus struct {
	// LastLookAt is when Turnout last checked the pods. Of checks that find nothing new, it
	// records only a few a minute.
	LastLookAt *metav1.MicroTime `json:"lastLookAt,omitempty"`

	// FailingSince is when the checks began to fail; none has passed since.
	FailingSince *metav1.MicroTime `json:"failingSince,omitempty"`

	// Restarts of the live pods' containers that do not count: their smallest total since
	// the watch began.
	Restarts int32 `json:"restarts,omitempty"`

	// UnseenSince is when a check last worked, if the last one did not.
	UnseenSince *metav1.MicroTime `json:"unseenSince,omitempty"`

	// Extended counts how often the soak was extended because Turnout could not check the
	// pods when it should have ended.
	Extended int32 `json:"extended,omitempty"`

	// Until is when an extended soak ends.
	Until *metav1.MicroTime `json:"until,omitempty"`
}

// Evidence shows why something failed.
type Evidence struct {
	// Pod that shows it.
	Pod string `json:"pod,omitempty"`

	// Container that shows it.
	Container string `json:"container,omitempty"`

	// Reason in Kubernetes' word, such as CrashLoopBackOff.
	Reason string `json:"reason,omitempty"`

	// ExitCode of the container's last end, or of the command, if it ended.
	ExitCode *int32 `json:"exitCode,omitempty"`

	// Request that was made, such as GET /healthz on port 8080, or the command that
	// was run.
	Request string `json:"request,omitempty"`

	// Message of Kubernetes, or what was wrong with the answer.
	Message string `json:"message,omitempty"`

	// Body is the beginning of the answer.
	Body string `json:"body,omitempty"`

	// Log has the last lines of the container, or of the command.
	Log string `json:"log,omitempty"`
}

// TimelineEntry is one step as it happened.
type TimelineEntry struct {
	// Step that ran.
	Step Step `json:"step"`

	// StartedAt is when it began.
	StartedAt metav1.MicroTime `json:"startedAt"`

	// FinishedAt is when it ended; unset while it runs.
	FinishedAt *metav1.MicroTime `json:"finishedAt,omitempty"`

	// Message says what the step did, or what it waits for.
	Message string `json:"message,omitempty"`

	// Failed says that the release failed during this step: the message is
	// status.failure's.
	Failed bool `json:"failed,omitempty"`

	// Proof is the proof's result at the end of the step, if the message is status.proof's.
	// Only confirm sets it.
	Proof ProofResult `json:"proof,omitempty"`

	// URL to read more.
	URL string `json:"url,omitempty"`
}
