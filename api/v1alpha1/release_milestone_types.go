package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Milestones are the facts of a release that are recorded, not observed.
type Milestones struct {
	// Target is the target colour, fixed at the claim. From then on, no step asks which
	// colour is live.
	Target Color `json:"target,omitempty"`

	// Previous is the version that was live when the release was claimed.
	Previous *Version `json:"previous,omitempty"`

	// Beside are the images that the workers, singletons and CronJobs of the version to go
	// back to ran, as far as they differ from that version's, or may: for a deploy those of
	// Previous, for a rollback those of spec.rollback.to.
	// +kubebuilder:validation:MaxItems=40
	// +listType=atomic
	Beside []BesideImage `json:"beside,omitempty"`

	// ClaimedAt is when the release was claimed.
	ClaimedAt *metav1.Time `json:"claimedAt,omitempty"`

	// OnBranch: the commit is on the application's branch.
	OnBranch *OnBranchMilestone `json:"onBranch,omitempty"`

	// Built: the image exists.
	Built *BuiltMilestone `json:"built,omitempty"`

	// ExpandedAt: the schema has what the new version needs.
	ExpandedAt *metav1.Time `json:"expandedAt,omitempty"`

	// ContractedAt: what only older versions needed is gone.
	ContractedAt *metav1.Time `json:"contractedAt,omitempty"`

	// AttachedAt: the target's Service is referenced by the Ingress.
	AttachedAt *metav1.Time `json:"attachedAt,omitempty"`

	// Staged: the target runs the image.
	Staged *StagedMilestone `json:"staged,omitempty"`

	// WarmedAt: the load balancer finds every endpoint of the target healthy.
	WarmedAt *metav1.Time `json:"warmedAt,omitempty"`

	// Verified: the gate passed.
	Verified *VerifiedMilestone `json:"verified,omitempty"`

	// Approved: the switch may happen.
	Approved *ApprovedMilestone `json:"approved,omitempty"`

	// ShiftedAt: every step of the canary was taken.
	ShiftedAt *metav1.Time `json:"shiftedAt,omitempty"`

	// WorkersIntendedAt is when the release was about to start the target's workers, and to
	// stop those of the previous version. From then on an undo brings those back.
	WorkersIntendedAt *metav1.Time `json:"workersIntendedAt,omitempty"`

	// WorkersAt: the target's workers run, and those of the previous version have ended.
	WorkersAt *metav1.Time `json:"workersAt,omitempty"`

	// SwitchIntendedAt is the point of no return.
	SwitchIntendedAt *metav1.Time `json:"switchIntendedAt,omitempty"`

	// SwitchedAt: the patch that moves the traffic was accepted.
	SwitchedAt *metav1.Time `json:"switchedAt,omitempty"`

	// ConfirmedAt: the switch took effect, as far as Turnout can see; status.route and
	// status.proof have the details.
	ConfirmedAt *metav1.Time `json:"confirmedAt,omitempty"`

	// SingletonsIntendedAt is when the release was about to give the singletons and CronJobs
	// its image.
	// From then on an undo gives them the previous one.
	SingletonsIntendedAt *metav1.Time `json:"singletonsIntendedAt,omitempty"`

	// SingletonsAt: the singletons and CronJobs were given the image.
	SingletonsAt *metav1.Time `json:"singletonsAt,omitempty"`

	// SingletonsBackAt: after a failure the singletons and CronJobs were given the image of
	// the version that users have.
	SingletonsBackAt *metav1.Time `json:"singletonsBackAt,omitempty"`

	// SoakStartedAt: the watch under live traffic began.
	SoakStartedAt *metav1.Time `json:"soakStartedAt,omitempty"`

	// SoakedAt: the watch ended without a failure.
	SoakedAt *metav1.Time `json:"soakedAt,omitempty"`

	// RecalledAt: the workers of the version that users go back to were started again.
	RecalledAt *metav1.Time `json:"recalledAt,omitempty"`

	// RelievedAt: the workers of the version that users left were stopped.
	RelievedAt *metav1.Time `json:"relievedAt,omitempty"`

	// RestoredAt: traffic is back on the previous colour.
	RestoredAt *metav1.Time `json:"restoredAt,omitempty"`

	// KeptAt: traffic stays on the target although the release failed, because
	// the previous colour could not take it.
	KeptAt *metav1.Time `json:"keptAt,omitempty"`

	// WithdrawnAt: after a canary that failed, nobody is sent to the target any more: the
	// weight 0 is in effect and drained.
	WithdrawnAt *metav1.Time `json:"withdrawnAt,omitempty"`

	// DiscardedAt: the target is shrunk.
	DiscardedAt *metav1.Time `json:"discardedAt,omitempty"`
}

// OnBranchMilestone says why a commit counts as on the branch.
type OnBranchMilestone struct {
	// Branch with the commit.
	// +kubebuilder:validation:MaxLength=255
	Branch string `json:"branch"`

	// By is the evidence.
	By BranchEvidence `json:"by"`

	// At is when that became known.
	At metav1.Time `json:"at"`
}

// BranchEvidence shows that a commit is on a branch.
//
// +kubebuilder:validation:Enum=Push;Repository
type BranchEvidence string

// What shows that a commit is on a branch.
const (
	BranchByPush       BranchEvidence = "Push"       // a signed webhook reported its push
	BranchByRepository BranchEvidence = "Repository" // the repository confirmed it
)

// BuiltMilestone is an image that exists.
type BuiltMilestone struct {
	// Image by digest: repository@sha256:….
	Image string `json:"image"`

	// Images are the other images of the build by digest: those that the spec names, and
	// those that Cloud Build reports; at most 40.
	// +kubebuilder:validation:MaxItems=40
	// +listType=atomic
	Images []string `json:"images,omitempty"`

	// At is when that became known.
	At metav1.Time `json:"at"`
}

// StagedMilestone is an image that runs on the target.
type StagedMilestone struct {
	// Image by digest.
	Image string `json:"image"`

	// TemplateHash is the pod-template-hash of its ReplicaSet.
	TemplateHash string `json:"templateHash"`

	// Replicas it runs at.
	Replicas int32 `json:"replicas"`

	// At is when every pod was available.
	At metav1.Time `json:"at"`
}

// VerifiedMilestone is a passed gate, bound to what was checked.
type VerifiedMilestone struct {
	// Image by digest that was checked.
	Image string `json:"image"`

	// TemplateHash that was checked.
	TemplateHash string `json:"templateHash"`

	// Pods that passed.
	Pods []string `json:"pods,omitempty"`

	// Check describes what the gate asked of them.
	Check string `json:"check,omitempty"`

	// At is when the last round passed.
	At metav1.Time `json:"at"`

	// AskAgain: the release has waited for a person since. So the gate runs one more round
	// right before the switch, however fresh this pass is.
	AskAgain bool `json:"askAgain,omitempty"`
}

// ApprovedMilestone is the permission to switch.
type ApprovedMilestone struct {
	// By is a login, or "policy" for automatic promotion.
	By string `json:"by"`

	// At is the time of the approval.
	At metav1.Time `json:"at"`
}

// ApprovedByPolicy is the value of [ApprovedMilestone].By for automatic promotion.
const ApprovedByPolicy = "policy"
