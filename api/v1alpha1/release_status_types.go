package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleasePhase is where a release stands.
//
// +kubebuilder:validation:Enum=Queued;Running;Waiting;Undoing;Succeeded;Failed;Error;Cancelled;Superseded
type ReleasePhase string

// Where a release stands. The last five are final.
const (
	ReleaseQueued     ReleasePhase = "Queued"     // another release acts, or something is in the way
	ReleaseRunning    ReleasePhase = "Running"    // it holds the claim and moves
	ReleaseWaiting    ReleasePhase = "Waiting"    // it waits for a person's approval
	ReleaseUndoing    ReleasePhase = "Undoing"    // it failed or was cancelled, and cleans up
	ReleaseSucceeded  ReleasePhase = "Succeeded"  // users have it
	ReleaseFailed     ReleasePhase = "Failed"     // the release's own fault
	ReleaseError      ReleasePhase = "Error"      // the world's fault
	ReleaseCancelled  ReleasePhase = "Cancelled"  // a person, or the approval's timeout, stopped it
	ReleaseSuperseded ReleasePhase = "Superseded" // a newer release took its place
)

// Finished reports whether a phase is final.
func (p ReleasePhase) Finished() bool {
	switch p {
	case ReleaseSucceeded, ReleaseFailed, ReleaseError, ReleaseCancelled, ReleaseSuperseded:
		return true
	case "", ReleaseQueued, ReleaseRunning, ReleaseWaiting, ReleaseUndoing:
	}
	return false
}

// ReleaseStatus is what became of a release.
type ReleaseStatus struct {
	// Format of the record, see [Format]; none is 1. A version that does not know it
	// leaves the release, and its application, alone.
	Format int32 `json:"format,omitempty"`

	// Phase is where it stands.
	Phase ReleasePhase `json:"phase,omitempty"`

	// Step that is under way.
	Step Step `json:"step,omitempty"`

	// Message says in a sentence what it waits for, or how it ended.
	Message string `json:"message,omitempty"`

	// Commands that do what the message says, to paste into a shell in this order.
	// Those of a failure stand there.
	// +listType=atomic
	Commands []ShellCommand `json:"commands,omitempty"`

	// Waiting says in facts what it waits for. Unset if it waits for nothing, or if
	// the record is of a version that did not note that.
	Waiting *Waiting `json:"waiting,omitempty"`

	// Version is the version in short, for people: the commit, or the image.
	Version string `json:"version,omitempty"`

	// Attestation says whether the cluster's admission policy decided who may write
	// this release's causes when it was admitted. Without it, anybody who may write
	// releases could have written them, and they are shown as claims.
	Attestation Attestation `json:"attestation,omitempty"`

	// Milestones reached; each is written once and never taken back, but for
	// those that the switch checks again.
	Milestones Milestones `json:"milestones,omitempty"`

	// Build is the handle of the build in progress.
	Build *BuildStatus `json:"build,omitempty"`

	// Gate is the state of the health gate's rounds.
	Gate *GateStatus `json:"gate,omitempty"`

	// Soak is the state of the watch under live traffic.
	Soak *SoakStatus `json:"soak,omitempty"`

	// Failure says why the release ends otherwise than as a success.
	Failure *Failure `json:"failure,omitempty"`

	// Route is what is known of the load balancer.
	Route *RouteStatus `json:"route,omitempty"`

	// Proof is what the public address answered around the switch.
	Proof *ProofStatus `json:"proof,omitempty"`

	// Timeline has an entry a step, in the order they started.
	Timeline []TimelineEntry `json:"timeline,omitempty"`

	// Findings are things a person should know that did not stop the release.
	// +listType=atomic
	Findings []Advice `json:"findings,omitempty"`

	// Drift is how the two colours' own pod templates differed when the release
	// came to stage: with template: Live from the target's to what was staged over
	// it, with template: Own from the live one's to what was staged beside it. It is
	// a unified diff of YAML without the image, colours and what Kubernetes fills
	// in, and with values that a program reads hidden; empty if they did not
	// differ. It is cut after a few dozen lines.
	Drift string `json:"drift,omitempty"`

	// SupersededBy is the name of the release that took this one's place. Empty if
	// none did.
	SupersededBy string `json:"supersededBy,omitempty"`

	// FinishedAt is when the release reached its final phase.
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// GitHub is the bot's: ids of what it made, and the state it last published.
	GitHub *GitHubStatus `json:"github,omitempty"`
}

// Attestation says what a release's causes are worth.
//
// +kubebuilder:validation:Enum=Attested;Claimed
type Attestation string

// What a release's causes are worth.
const (
	CausesAttested Attestation = "Attested" // the API server let nobody write them but who may
	CausesClaimed  Attestation = "Claimed"  // anybody who may write releases could have
)
