package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MigrationsSpec says how releases change the schema of a database that both colours share.
// A release first adds what the new version needs (expand), with the live version still in
// use. What only older versions need goes later (contract), when nobody returns to them.
//
// +kubebuilder:validation:XValidation:rule="has(self.expand) || has(self.contract)",message="migrations needs expand or contract"
type MigrationsSpec struct {
	// Expand runs once for each deploy, before any of its pods starts. Both versions must
	// bear its result.
	Expand *ExpandSpec `json:"expand,omitempty"`

	// Contract runs once for a version that stays. From its start nobody returns to an older
	// version.
	Contract *ContractSpec `json:"contract,omitempty"`
}

// ExpandSpec is a command in the release's image that prepares the schema.
type ExpandSpec struct {
	// Command with its arguments, run without a shell in spec.container of the pod template
	// that the release stages.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	// +listType=atomic
	Command []string `json:"command"`

	// Timeout of the command, from the start of its container.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitempty"`
}

// ContractSpec is a command in the live image that removes what only older versions need.
type ContractSpec struct {
	// Command with its arguments, run without a shell in spec.container of the live pod
	// template.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	// +listType=atomic
	Command []string `json:"command"`

	// Timeout of the command, from the start of its container.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitempty"`

	// When the contract runs: by itself after spec.hold, or only when somebody types /contract.
	// +kubebuilder:default=AfterHold
	When ContractTime `json:"when,omitempty"`
}

// ContractTime is when a contract runs.
//
// +kubebuilder:validation:Enum=AfterHold;OnCommand
type ContractTime string

// When a contract runs.
const (
	ContractAfterHold ContractTime = "AfterHold" // after spec.hold, or earlier on command
	ContractOnCommand ContractTime = "OnCommand" // when somebody types /contract
)

// MigrationStatus is the one Job of a release that changes the schema: a deploy's expand, or
// a contract.
type MigrationStatus struct {
	// Job is its name.
	// +kubebuilder:validation:MaxLength=63
	Job string `json:"job"`

	// IntendedAt is when Turnout was about to create it.
	IntendedAt metav1.MicroTime `json:"intendedAt"`

	// TemplateHash identifies the pod template that the Job was made from, with the image.
	// +kubebuilder:validation:MaxLength=64
	TemplateHash string `json:"templateHash,omitempty"`

	// UID of the Job, recorded while it is still suspended. A recorded UID without its Job
	// means that nobody knows what it did.
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`

	// ResumedAt is when Turnout was about to let the Job go.
	ResumedAt *metav1.Time `json:"resumedAt,omitempty"`

	// StartedAt is when its container started.
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// EndedAt is when its last pod was gone or had ended.
	EndedAt *metav1.Time `json:"endedAt,omitempty"`

	// Outcome of the command, once it is known, or known to be unknown.
	Outcome MigrationOutcome `json:"outcome,omitempty"`

	// ExitCode of the command.
	ExitCode *int32 `json:"exitCode,omitempty"`

	// Message for people: why it failed, or why its outcome is unknown.
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// LiveStatus is how the live version fares while a migration may make it suffer.
type LiveStatus struct {
	// BeganAt is when Turnout first looked at it.
	BeganAt metav1.MicroTime `json:"beganAt"`

	// Looks are how often Turnout looked at it before the migration.
	Looks int32 `json:"looks,omitempty"`

	// KnownAt is when Turnout knew how it fared before the migration. The migration begins
	// after that.
	KnownAt *metav1.MicroTime `json:"knownAt,omitempty"`

	// Before is what was wrong with its pods before the migration already, or why they could not
	// be checked; the migration is not blamed for that. Empty if they were well.
	// +kubebuilder:validation:MaxLength=1024
	Before string `json:"before,omitempty"`

	// LastLookAt is the time of the last look that is recorded.
	LastLookAt *metav1.MicroTime `json:"lastLookAt,omitempty"`

	// FailingSince is when its pods began to fail; unset while they are well.
	FailingSince *metav1.MicroTime `json:"failingSince,omitempty"`

	// Address is what the public address answered before the migration; unset without spec.url.
	Address *ProofStatus `json:"address,omitempty"`
}

// MigrationOutcome is what became of a migration.
//
// +kubebuilder:validation:Enum=Changed;Unchanged;Failed;Unknown;NotRun
type MigrationOutcome string

// What became of a migration.
const (
	MigrationChanged   MigrationOutcome = "Changed"   // it succeeded; the schema may differ
	MigrationUnchanged MigrationOutcome = "Unchanged" // it succeeded, and said that there was nothing to do
	MigrationFailed    MigrationOutcome = "Failed"    // it failed; the schema may differ all the same
	MigrationUnknown   MigrationOutcome = "Unknown"   // nobody can say whether it ran to its end
	MigrationNotRun    MigrationOutcome = "NotRun"    // its command never started
)

// SchemaStatus is what is known of the schema that both colours share.
type SchemaStatus struct {
	// State is one word for people, see the constants.
	State SchemaState `json:"state,omitempty"`

	// Expanded are the latest deploys that changed the schema, oldest first.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	Expanded []SchemaChange `json:"expanded,omitempty"`

	// Pending is the contract that is owed once nobody can return to an older version. Unset
	// if none is.
	Pending *PendingContract `json:"pending,omitempty"`

	// Contract is the last contract that was begun. While it closes the way back, every
	// rollback of a switch before it is refused.
	Contract *ContractStatus `json:"contract,omitempty"`
}

// SchemaState is one word for what is known of the schema.
//
// +kubebuilder:validation:Enum=Open;Pending;Contracting;Closed;Failed;Unknown
type SchemaState string

// What is known of the schema, in one word.
const (
	SchemaOpen        SchemaState = "Open"        // no contract is owed, and none closed the way back
	SchemaPending     SchemaState = "Pending"     // a contract is owed
	SchemaContracting SchemaState = "Contracting" // a contract runs; the way back is closed
	SchemaClosed      SchemaState = "Closed"      // the last contract succeeded, or was declared done; the way back is closed
	SchemaFailed      SchemaState = "Failed"      // the last contract failed; the way back is closed, and a person decides
	SchemaUnknown     SchemaState = "Unknown"     // nobody knows what became of the last contract; likewise
)

// SchemaChange is an expand that ran.
type SchemaChange struct {
	// Release that ran it, by name.
	// +kubebuilder:validation:MaxLength=63
	Release string `json:"release"`

	// Commit of the release.
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// At is when it ended.
	At metav1.Time `json:"at"`

	// Outcome: Changed, Failed or Unknown. An expand that changed nothing is not listed.
	Outcome MigrationOutcome `json:"outcome"`
}

// PendingContract is a contract that has not begun.
type PendingContract struct {
	// Commit that owes it.
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// Release that brought the commit, by name.
	// +kubebuilder:validation:MaxLength=63
	Release string `json:"release"`

	// Since is when that release's switch was confirmed.
	Since metav1.Time `json:"since"`
}

// ContractStatus is a contract that was begun.
type ContractStatus struct {
	// Release of the kind Contract, by name.
	// +kubebuilder:validation:MaxLength=63
	Release string `json:"release"`

	// UID of that release.
	UID string `json:"uid"`

	// Commit that was live, and whose image ran it.
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// IntendedAt is when the way back was closed: switches before are not taken back any more.
	IntendedAt metav1.MicroTime `json:"intendedAt"`

	// EarlierAt is when an earlier contract closed the way back, if it may have changed the
	// schema: switches before it stay closed, whatever becomes of this one.
	EarlierAt *metav1.MicroTime `json:"earlierAt,omitempty"`

	// Outcome of the contract; empty while it runs. Unchanged and NotRun open the way back
	// again.
	Outcome MigrationOutcome `json:"outcome,omitempty"`

	// EndedAt is when it ended, or when somebody declared it done.
	EndedAt *metav1.Time `json:"endedAt,omitempty"`

	// DoneBy is who declared it done, although it failed or its outcome is unknown.
	// +kubebuilder:validation:MaxLength=1024
	DoneBy string `json:"doneBy,omitempty"`

	// Reason of that person.
	// +kubebuilder:validation:MaxLength=500
	Reason string `json:"reason,omitempty"`
}

// Closed reports whether nobody returns to a version that was live before this contract.
func (c *ContractStatus) Closed() bool {
	return c != nil && c.Outcome != MigrationUnchanged && c.Outcome != MigrationNotRun
}

// ClosedFor reports whether a switch at that time is not taken back any more.
func (c *ContractStatus) ClosedFor(switched time.Time) bool {
	if c == nil || switched.IsZero() {
		return false
	}
	earlier := c.EarlierAt != nil && switched.Before(c.EarlierAt.Time)
	return earlier || c.Closed() && switched.Before(c.IntendedAt.Time)
}

// ClosedAt is since when the way back is closed.
func (c *ContractStatus) ClosedAt() metav1.Time {
	if !c.Closed() && c.EarlierAt != nil {
		return metav1.Time{Time: c.EarlierAt.Time}
	}
	return metav1.Time{Time: c.IntendedAt.Time}
}

// Settled reports whether nobody has to decide about a contract: it succeeded or never ran, or
// a person declared it done.
func (c *ContractStatus) Settled() bool {
	return c.Outcome != "" && c.Outcome != MigrationFailed && c.Outcome != MigrationUnknown || c.DoneBy != ""
}

// ConditionLiveSuffers of a BlueGreen: True while the version that users have fails since its
// database's schema was changed, and no deploy or rollback is under way: until the end of hold, while
// a migration runs whose release has ended, and for spec.soak after a contract. It keeps nothing from
// running; the message names the ways out.
const ConditionLiveSuffers = "LiveSuffers"

// Reasons of [ConditionLiveSuffers].
const (
	ReasonPodsFail     = "PodsFail"     // its pods are not ready, or do not answer the gate's requests as they should
	ReasonAddressFails = "AddressFails" // the public address fails as it did not before
)
