package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReleasePhase is where a release stands.
//
// +kubebuilder:validation:Enum=Queued;Running;Waiting;Undoing;Succeeded;Failed;Error;Cancelled;Superseded
type ReleasePhase string

// Where a release stands. The last five are final.
const (
	ReleaseQueued     ReleasePhase = "Queued"     // another release is under way, or something blocks it
	ReleaseRunning    ReleasePhase = "Running"    // it holds the claim and moves
	ReleaseWaiting    ReleasePhase = "Waiting"    // it waits for a person's approval
	ReleaseUndoing    ReleasePhase = "Undoing"    // it failed or was cancelled, and cleans up
	ReleaseSucceeded  ReleasePhase = "Succeeded"  // users have it
	ReleaseFailed     ReleasePhase = "Failed"     // the release itself failed
	ReleaseError      ReleasePhase = "Error"      // its environment failed
	ReleaseCancelled  ReleasePhase = "Cancelled"  // a person, or the timeout of the approval, stopped it
	ReleaseSuperseded ReleasePhase = "Superseded" // a newer release took its place
)

// Finished reports whether a phase is final.
func (p ReleasePhase) Finished() bool { return slices.Contains(FinalPhases(), p) }

// FinalPhases are the final phases of a release.
func FinalPhases() []ReleasePhase {
	return []ReleasePhase{ReleaseSucceeded, ReleaseFailed, ReleaseError, ReleaseCancelled, ReleaseSuperseded}
}

// ReleaseStatus is the state of a release.
type ReleaseStatus struct {
	// The API server tracks who wrote which field, which costs more than the rest of a small write.
	// Only the bot and the deployer write here, and the bot applies no more than status.github, so
	// each other struct is a single field to the API server.

	// Format of the record, see [Format]; none means 1. A version that does not know the
	// format leaves the release and its application alone.
	Format int32 `json:"format,omitempty"`

	// Phase is where it stands.
	Phase ReleasePhase `json:"phase,omitempty"`

	// Step that is under way.
	Step Step `json:"step,omitempty"`

	// Message says in a sentence what it waits for, or how it ended.
	Message string `json:"message,omitempty"`

	// Commands that carry out what the message says, to paste into a shell in this order.
	// Those of a failure are in status.failure.
	// +listType=atomic
	Commands []ShellCommand `json:"commands,omitempty"`

	// Waiting says in facts what it waits for. Unset if it waits for nothing, or if a
	// version without this field wrote the record.
	// +structType=atomic
	Waiting *Waiting `json:"waiting,omitempty"`

	// Version is the version in short, for people: the commit, or the image.
	Version string `json:"version,omitempty"`

	// Attestation says whether the cluster's admission policy checked who wrote this
	// release's causes. Without it, anybody who may write releases could have written
	// them, so they are shown as claims.
	Attestation Attestation `json:"attestation,omitempty"`

	// Milestones reached. Each is written once and stays, except for those that the switch
	// checks again.
	// +structType=atomic
	Milestones Milestones `json:"milestones,omitempty"`

	// Build is the handle of the build in progress.
	// +structType=atomic
	Build *BuildStatus `json:"build,omitempty"`

	// Migration is the Job that changes the schema.
	// +structType=atomic
	Migration *MigrationStatus `json:"migration,omitempty"`

	// Live is how the live version fares from before that migration until users are moved; unset
	// without a migration, or without live pods.
	// +structType=atomic
	Live *LiveStatus `json:"live,omitempty"`

	// Gate is the state of the health gate's rounds.
	// +structType=atomic
	Gate *GateStatus `json:"gate,omitempty"`

	// Shift is how it divides users between the two colours; unset before the first weight.
	// +structType=atomic
	Shift *ShiftStatus `json:"shift,omitempty"`

	// Soak is the state of the watch under live traffic.
	// +structType=atomic
	Soak *SoakStatus `json:"soak,omitempty"`

	// Analysis is what metrics show of the new version.
	// +structType=atomic
	Analysis *AnalysisStatus `json:"analysis,omitempty"`

	// Failure says why the release does not succeed.
	// +structType=atomic
	Failure *Failure `json:"failure,omitempty"`

	// Route is what is known about the load balancer.
	// +structType=atomic
	Route *RouteStatus `json:"route,omitempty"`

	// Proof is what the public address answered around the switch.
	// +structType=atomic
	Proof *ProofStatus `json:"proof,omitempty"`

	// Timeline has an entry for each step, in the order of their starts.
	Timeline []TimelineEntry `json:"timeline,omitempty"`

	// Findings are things a person should know that did not stop the release, each with a text and
	// commands. In releases of the first versions each is a string.
	//
	// They have no schema: if it did not allow these strings, the API server would refuse the bot's
	// part of the status of every such release.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Findings []Advice `json:"findings,omitempty"`

	// Drift is how the pod templates of the two colours differed at the stage step, as a
	// unified diff of YAML. With template: Live it goes from the target's own template to
	// the staged one, with template: Own from the live template to the staged one. It
	// leaves out the image, the colours and what Kubernetes fills in, hides values that a
	// program reads, and ends after a few dozen lines. Empty without a difference.
	Drift string `json:"drift,omitempty"`

	// ConfigMaps are those that the staged pods read, by name, as they were at the stage step. A
	// rollback does not bring back what they had. Those that Turnout may not read are missing.
	//
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	ConfigMaps []ConfigMapRecord `json:"configMaps,omitempty"`

	// SupersededBy is the release that took this one's place. Empty if none did.
	SupersededBy string `json:"supersededBy,omitempty"`

	// FinishedAt is when the release reached its final phase.
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// GitHub is the bot's: the ids of what it created, and the state it last published.
	GitHub *GitHubStatus `json:"github,omitempty"`
}

// Attestation says whether a release's causes can be trusted.
//
// +kubebuilder:validation:Enum=Attested;Claimed
type Attestation string

// Whether a release's causes can be trusted.
const (
	CausesAttested Attestation = "Attested" // the API server allowed only authorised writers
	CausesClaimed  Attestation = "Claimed"  // anybody who may write releases could have written them
)
