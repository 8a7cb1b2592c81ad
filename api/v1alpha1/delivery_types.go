package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Delivery is a webhook that Turnout has to handle, recorded before GitHub gets its 202: a
// push to a branch that some BlueGreen follows, or a comment that may have a command. It
// lives in Turnout's own namespace, and only Turnout writes it. Turnout deletes it some
// days after handling it. Until then the same webhook, under any id, finds it and is not
// handled again.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=dlv
// +kubebuilder:printcolumn:name="Event",type=string,JSONPath=`.spec.event`
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.repository`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Attempts",type=integer,JSONPath=`.status.attempts`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Error",type=string,JSONPath=`.status.error`,priority=1
type Delivery struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   DeliverySpec   `json:"spec"`
	Status DeliveryStatus `json:"status,omitempty"`
}

// DeliveryList is a list of deliveries.
//
// +kubebuilder:object:root=true
type DeliveryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Delivery `json:"items"`
}

// DeliverySpec is what Turnout needs from the webhook.
//
// +kubebuilder:validation:XValidation:rule="has(self.push) != has(self.comment)",message="a delivery has either push or comment"
type DeliverySpec struct {
	// Delivery is GitHub's id of the first such webhook.
	// +kubebuilder:validation:MaxLength=80
	Delivery string `json:"delivery"`

	// Event is GitHub's name of the event, with its action.
	// +kubebuilder:validation:MaxLength=40
	Event string `json:"event"`

	// Repository is owner/name.
	// +kubebuilder:validation:MaxLength=140
	Repository string `json:"repository"`

	// RepositoryID is its number. 0 if the webhook had none.
	RepositoryID int64 `json:"repositoryID,omitempty"`

	// ReceivedAt is when it was recorded. A command's age is the time until then.
	ReceivedAt metav1.MicroTime `json:"receivedAt"`

	// Push is set for a push.
	Push *DeliveredPush `json:"push,omitempty"`

	// Comment is set for a comment.
	Comment *DeliveredComment `json:"comment,omitempty"`
}

// DeliveredPush is a push that moved a branch to a new head.
type DeliveredPush struct {
	// Branch that was pushed to.
	// +kubebuilder:validation:MaxLength=255
	Branch string `json:"branch"`

	// Commit is the new head.
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// Before is the head before. Empty if the branch was new.
	// +kubebuilder:validation:MaxLength=64
	Before string `json:"before,omitempty"`

	// Actor is the login of who pushed.
	// +kubebuilder:validation:MaxLength=100
	Actor string `json:"actor,omitempty"`

	// URL of the commit, for people.
	// +kubebuilder:validation:MaxLength=500
	URL string `json:"url,omitempty"`
}

// DeliveredComment is a comment on a pull request.
type DeliveredComment struct {
	// ID of the comment.
	ID int64 `json:"id"`

	// PullRequest is its number.
	PullRequest int `json:"pullRequest"`

	// Body of the comment. It is removed once the delivery is handled.
	// +kubebuilder:validation:MaxLength=8192
	Body string `json:"body,omitempty"`

	// TooLong says that the comment is longer than a command may be. Its body is not kept.
	TooLong bool `json:"tooLong,omitempty"`

	// URL of the comment, for people.
	// +kubebuilder:validation:MaxLength=500
	URL string `json:"url,omitempty"`

	// Author is the login of who wrote it.
	// +kubebuilder:validation:MaxLength=100
	Author string `json:"author"`

	// WrittenAt is when it was written.
	WrittenAt metav1.Time `json:"writtenAt"`
}

// DeliveryPhase is the state of a delivery.
//
// +kubebuilder:validation:Enum=Pending;Done;GaveUp;Quarantined
type DeliveryPhase string

// States of a delivery. Empty is Pending.
const (
	DeliveryPending     DeliveryPhase = "Pending"     // to be handled, or tried again at nextAt
	DeliveryDone        DeliveryPhase = "Done"        // handled
	DeliveryGaveUp      DeliveryPhase = "GaveUp"      // it failed until trying no longer made sense
	DeliveryQuarantined DeliveryPhase = "Quarantined" // handling it ended the process, or panicked, too often
)

// Finished reports whether a delivery is not handled again.
func (p DeliveryPhase) Finished() bool { return slices.Contains(FinalDeliveryPhases(), p) }

// FinalDeliveryPhases are the final phases of a delivery.
func FinalDeliveryPhases() []DeliveryPhase {
	return []DeliveryPhase{DeliveryDone, DeliveryGaveUp, DeliveryQuarantined}
}

// DeliveryStatus is the state of a delivery.
type DeliveryStatus struct {
	// Format of the record, see [Format]; none means 1. A version that does not know the
	// format leaves the delivery alone.
	Format int32 `json:"format,omitempty"`

	// Phase of the handling. Empty is Pending.
	Phase DeliveryPhase `json:"phase,omitempty"`

	// Attempts counts how often Turnout began to handle it. It is increased before each
	// attempt.
	Attempts int32 `json:"attempts,omitempty"`

	// Deaths counts the attempts that panicked, or whose process ended before the attempt
	// did.
	Deaths int32 `json:"deaths,omitempty"`

	// Running is the process of the running attempt.
	// +kubebuilder:validation:MaxLength=300
	Running string `json:"running,omitempty"`

	// Error of the last attempt.
	// +kubebuilder:validation:MaxLength=500
	Error string `json:"error,omitempty"`

	// NextAt is the time of the next attempt.
	NextAt *metav1.MicroTime `json:"nextAt,omitempty"`

	// Limited says that GitHub's rate limit delayed it.
	Limited bool `json:"limited,omitempty"`

	// ReplyIntendedAt is when the bot was about to post a reply. The next attempt looks
	// for that reply before it posts one.
	ReplyIntendedAt *metav1.MicroTime `json:"replyIntendedAt,omitempty"`

	// ActIntendedAt is when the bot was about to carry out a /lock or /unlock. The next
	// attempt does not undo what somebody else did since.
	ActIntendedAt *metav1.MicroTime `json:"actIntendedAt,omitempty"`

	// Executed is the executed command with its application: verb namespace/name. A late
	// earlier command of the thread does not undo it.
	// +kubebuilder:validation:MaxLength=200
	Executed string `json:"executed,omitempty"`

	// FinishedAt is when it was handled.
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
}
