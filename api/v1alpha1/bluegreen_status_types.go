package v1alpha1

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ConditionReady of a BlueGreen: True if its next release could run; otherwise False, with
// one of the reasons below and a message that names the object and the way out.
const ConditionReady = "Ready"

// Reasons of [ConditionReady].
const (
	ReasonReady             = "Ready"             // the next release can run
	ReasonNotGranted        = "NotGranted"        // the namespace is not granted the repository, or what the build needs of Google
	ReasonRepositoryChanged = "RepositoryChanged" // another repository now has the pinned one's name
	ReasonNotInstalled      = "NotInstalled"      // the repository cannot be read: the App is not installed there
	ReasonBranchMissing     = "BranchMissing"     // the repository has no branch of that name
	ReasonIngressMissing    = "IngressMissing"    // the named Ingress does not exist
	ReasonNotRouted         = "NotRouted"         // the Ingress names neither Service
	ReasonMixedRoutes       = "MixedRoutes"       // the Ingress names both Services for users
	ReasonServiceMissing    = "ServiceMissing"    // the live Service does not exist
	ReasonDeploymentMissing = "DeploymentMissing" // the live Deployment does not exist
	ReasonServiceShared     = "ServiceShared"     // another BlueGreen uses one of the Services
	ReasonSelector          = "Selector"          // the live Service selects pods of the other colour, too, or not its own
	ReasonStandbyHost       = "StandbyHost"       // another rule uses the standby host
	ReasonContainer         = "Container"         // the container to update is ambiguous or absent
	ReasonPreflight         = "Preflight"         // the load balancer could not carry out a switch; see status.findings
)

// ConditionSwitchUnconfirmed of a BlueGreen: True while nothing shows that Google's load
// balancer took up the last change of its routes. Users may still reach the colour that the
// Ingress no longer sends users to. So that colour keeps its size, and no release stages
// over it; everything else continues. The first sign ends it. The message names the ways
// out.
const ConditionSwitchUnconfirmed = "SwitchUnconfirmed"

// Reasons of [ConditionSwitchUnconfirmed]: which sign is missing, and why.
const (
	ReasonOldRoutes       = "OldRoutes"       // the load balancer's URL map leads to the colour that users should have left
	ReasonNoAddress       = "NoAddress"       // spec.url is not set
	ReasonNoVersionHeader = "NoVersionHeader" // spec.proof.versionHeader is not set
	ReasonNotToldApart    = "NotToldApart"    // the pods of both colours report the same version, or did not answer
	ReasonOldVersion      = "OldVersion"      // the public address answered with the version that users should have left
	ReasonNoAnswer        = "NoAnswer"        // the public address did not answer, or reported neither version
	ReasonAsking          = "Asking"          // Turnout is measuring the public address, or will
)

// ConditionWithdrawUnconfirmed of a BlueGreen: True while users may still be with the new
// version of a canary that went back, although spec.deadlines.confirm is over. The release
// goes on, its pods stay, and no other one begins. The message names the ways out.
const ConditionWithdrawUnconfirmed = "WithdrawUnconfirmed"

// ReasonNotWritten of [ConditionWithdrawUnconfirmed]: the weight 0 cannot be written. Its
// other reason is [ReasonOldRoutes]: a Gateway does not report that it has taken it up.
const ReasonNotWritten = "NotWritten"

// ConditionMetricsUnusable of a BlueGreen: True while a release would have no verdict from the
// checks of spec.analysis. Turnout tries them out at the first look after a change, and every
// hour. It keeps no rollback; the message says what is wrong.
const ConditionMetricsUnusable = "MetricsUnusable"

// Reasons of [ConditionMetricsUnusable].
const (
	ReasonChecksInvalid  = "ChecksInvalid"  // a check is wrong by itself, such as an expression that does not compile
	ReasonQueryRefused   = "QueryRefused"   // the server refused a check's query, or the query cannot be asked
	ReasonMetricsNotRead = "MetricsNotRead" // the server did not answer
)

// Phases of a BlueGreen, for people to read.
const (
	PhaseBlocked   = "Blocked"   // its condition Ready is False
	PhaseLocked    = "Locked"    // a person keeps it from being released
	PhaseIdle      = "Idle"      // nothing to do
	PhaseReleasing = "Releasing" // a release is under way
	PhaseWaiting   = "Waiting"   // a release waits for a person
	PhaseHolding   = "Holding"   // the old colour is kept for a rollback
)

// Nobody applies this status, so who wrote which of its fields need not be tracked, which the API server
// works out anew with every write. A release's has to be: its status.github is applied, and what applies a
// part of an atomic object replaces the whole.
// +structType=atomic

// BlueGreenStatus is what the deployer knows about an application.
type BlueGreenStatus struct {
	// Format of the record, see [Format]; none means 1. A version that does not know the
	// format leaves the application alone.
	Format int32 `json:"format,omitempty"`

	// ObservedGeneration of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase is one word for people.
	Phase string `json:"phase,omitempty"`

	// Version is the live version in short, for people.
	Version string `json:"version,omitempty"`

	// Repository is the repository that Turnout pinned when it first read it. Turnout does
	// not read another repository that takes over its name.
	Repository *RepositoryPin `json:"repository,omitempty"`

	// Live is the version that users reach, as observed.
	Live *Version `json:"live,omitempty"`

	// Mixed is set while users are on both colours of an HTTPRoute although no release
	// divides them: somebody else wrote these weights.
	Mixed *MixedStatus `json:"mixed,omitempty"`

	// Active is the claim: the one release that may act.
	Active *Claim `json:"active,omitempty"`

	// Previous is the version that /rollback returns to. A switch sets it, and a rollback
	// unsets it.
	Previous *Version `json:"previous,omitempty"`

	// WayBack says whether users could return to Previous at once. Unset without
	// Previous. During a switch it describes the version that users are leaving.
	WayBack *WayBack `json:"wayBack,omitempty"`

	// LastSwitch is the last time traffic moved.
	LastSwitch *SwitchRecord `json:"lastSwitch,omitempty"`

	// Ingress is when the spec of the Ingress last changed, by Turnout or by others. Only for
	// Google's load balancers.
	Ingress *IngressSeen `json:"ingress,omitempty"`

	// RolledBack are the commits that were rolled back, until a release that contains
	// them succeeds: every deploy that contains one waits for /promote.
	RolledBack []RolledBack `json:"rolledBack,omitempty"`

	// Schema is what is known of the database's schema, if spec.migrations is set.
	Schema *SchemaStatus `json:"schema,omitempty"`

	// WorkersOwed is set while workers do not follow users yet, although the release that
	// moved them has ended. They do as soon as those of the users' version work.
	WorkersOwed *WorkersOwed `json:"workersOwed,omitempty"`

	// Lock keeps every deploy from moving traffic until somebody unlocks. Rollbacks still
	// work.
	Lock *Lock `json:"lock,omitempty"`

	// UnlockedAt is when the last lock was removed: nobody could promote before.
	UnlockedAt *metav1.Time `json:"unlockedAt,omitempty"`

	// UnlockedBy is who removed it.
	UnlockedBy string `json:"unlockedBy,omitempty"`

	// Findings of the preflight: what is wrong, or could be better, with the objects
	// that a switch needs. An error keeps releases from running.
	// +listType=atomic
	Findings []Finding `json:"findings,omitempty"`

	// Conditions of the application; see [ConditionReady], [ConditionSwitchUnconfirmed],
	// [ConditionWithdrawUnconfirmed], [ConditionMetricsUnusable], [ConditionWorkersKept] and
	// [ConditionLiveSuffers].
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Commands that carry out what the conditions say, by their types.
	// +listType=map
	// +listMapKey=condition
	Commands []ConditionCommands `json:"commands,omitempty"`
}

// CommandsOf returns the commands of a condition.
func (s *BlueGreenStatus) CommandsOf(condition string) []ShellCommand {
	for _, c := range s.Commands {
		if c.Condition == condition {
			return c.Commands
		}
	}
	return nil
}

// SetCommands sets the commands of a condition; without commands it removes them.
func (s *BlueGreenStatus) SetCommands(condition string, commands []ShellCommand) {
	s.Commands = slices.DeleteFunc(s.Commands, func(c ConditionCommands) bool { return c.Condition == condition })
	if len(commands) > 0 {
		s.Commands = append(s.Commands, ConditionCommands{Condition: condition, Commands: commands})
	}
	slices.SortFunc(s.Commands, func(a, b ConditionCommands) int { return strings.Compare(a.Condition, b.Condition) })
}

// RepositoryPin identifies a repository by its number. A renamed or transferred repository
// keeps its number; another one that takes over its name has a different number.
type RepositoryPin struct {
	// Name at the first contact: spec.repository at that time.
	// +kubebuilder:validation:MaxLength=140
	Name string `json:"name"`

	// ID is its number.
	ID int64 `json:"id"`

	// At is when the repository was pinned, or pinned again.
	At metav1.Time `json:"at"`

	// Found is the number that the name leads to now, if it differs. Turnout does not read
	// that repository until a cluster administrator pins it again.
	Found int64 `json:"found,omitempty"`
}

// Severity of a finding.
//
// +kubebuilder:validation:Enum=Error;Warning
type Severity string

// Severities of a finding.
const (
	SeverityError   Severity = "Error"   // a switch cannot work: no release runs
	SeverityWarning Severity = "Warning" // it works, but with less certainty or more failed requests
)

// Finding is something about an application's objects that its owner should know.
type Finding struct {
	// Severity of it.
	Severity Severity `json:"severity"`

	// Reason is one word for machines.
	Reason string `json:"reason"`

	// Object it is about, such as "service shop/my-python-app-blue-svc".
	Object string `json:"object"`

	// Field of that object, such as metadata.annotations[cloud.google.com/neg].
	Field string `json:"field,omitempty"`

	// Message says what is wrong, and the way out.
	Message string `json:"message"`

	// Commands that fix it, to paste into a shell in this order.
	// +listType=atomic
	// +optional
	Commands []ShellCommand `json:"commands,omitempty"`
}

// String is the finding as text, without its commands.
func (f Finding) String() string {
	if f.Field == "" {
		return f.Object + ": " + f.Message
	}
	return f.Object + ", " + f.Field + ": " + f.Message
}

// Advice is the finding with its commands.
func (f Finding) Advice() Advice { return Advice{Text: f.String(), Commands: f.Commands} }

// With adds the commands that fix the finding.
func (f Finding) With(commands ...ShellCommand) Finding {
	f.Commands = Commands(commands...)
	return f
}

// ConditionCommands are the commands that carry out what a condition's message says. A
// Kubernetes condition has no field for them.
type ConditionCommands struct {
	// Condition is its type.
	Condition string `json:"condition"`

	// Commands to paste into a shell, in this order.
	// +listType=atomic
	// +optional
	Commands []ShellCommand `json:"commands,omitempty"`
}

// Lock says who keeps an application from being released, since when and why.
type Lock struct {
	// By is the login of whoever locked it.
	By string `json:"by"`

	// At is when somebody asked for it.
	At metav1.Time `json:"at"`

	// Reason in the person's own words; may be empty.
	// +kubebuilder:validation:MaxLength=500
	Reason string `json:"reason,omitempty"`

	// Cause says where it was asked.
	Cause Cause `json:"cause"`
}

// Version is something that runs, or ran, on a colour.
type Version struct {
	// Color it runs on.
	Color Color `json:"color"`

	// Image by digest where the digest is known: repository@sha256:….
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`

	// Commit the image was built from, where Turnout built it.
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit,omitempty"`

	// Tag that the Deployment's image has, where Turnout did not build it: it may name
	// the commit.
	// +kubebuilder:validation:MaxLength=128
	Tag string `json:"tag,omitempty"`

	// Release that staged it, where Turnout did.
	// +kubebuilder:validation:MaxLength=253
	Release string `json:"release,omitempty"`

	// Replicas it ran at when this was written.
	Replicas int32 `json:"replicas,omitempty"`

	// TemplateHash is the pod-template-hash of its ReplicaSet.
	// +kubebuilder:validation:MaxLength=63
	TemplateHash string `json:"templateHash,omitempty"`
}

// WayBack is the present state of the version that a rollback returns to.
type WayBack struct {
	// Color that it runs on.
	Color Color `json:"color"`

	// Ready endpoints of exactly that version.
	Ready int32 `json:"ready,omitempty"`

	// Needed is how many of them users need.
	Needed int32 `json:"needed,omitempty"`

	// Missing says what users would wait for. Empty if they could return at once.
	Missing string `json:"missing,omitempty"`
}

// MixedStatus is what can be done while users are on both colours.
type MixedStatus struct {
	// Back is the one rollback that is admitted meanwhile: it brings all users to the version
	// that they had before. Unset if Turnout has no record of one.
	Back *RollbackSpec `json:"back,omitempty"`
}

// Claim says which release may act on an application. Every writer takes it by
// compare-and-swap: the claim is the fence, leader election is not.
type Claim struct {
	// Release is the name of the active release.
	Release string `json:"release"`

	// UID of that release.
	UID string `json:"uid"`

	// Holder is the process that drives it.
	Holder string `json:"holder"`

	// RenewedAt is when the holder last renewed it.
	RenewedAt metav1.MicroTime `json:"renewedAt"`
}

// SwitchRecord is one movement of traffic.
type SwitchRecord struct {
	// Release that moved it.
	Release string `json:"release"`

	// UID of that release. A rollback's name is made from it, so that each switch is rolled
	// back once.
	UID string `json:"uid"`

	// Kind of that release, or Restore when a deploy moved traffic back.
	Kind string `json:"kind"`

	// At is the time of the movement.
	At metav1.Time `json:"at"`

	// TookEffectAt is when Turnout saw the first sign that the load balancer uses the new
	// routes. Unset without one.
	TookEffectAt *metav1.Time `json:"tookEffectAt,omitempty"`

	// TookEffectBy says which sign it was. On Google's load balancer, Wait is not a sign.
	TookEffectBy Sign `json:"tookEffectBy,omitempty"`

	// LoadBalancer behind the Ingress.
	LoadBalancer LoadBalancer `json:"loadBalancer,omitempty"`

	// Unsettled: the routes before this switch had no sign yet. An event of the load
	// balancer's controller may be about those.
	Unsettled bool `json:"unsettled,omitempty"`

	// AnswersFrom is since when an answer of the new version is a sign. Users may not have
	// left that version before. Unset if every answer is a sign.
	AnswersFrom *metav1.Time `json:"answersFrom,omitempty"`

	// OverruledAt is when Turnout last saw that somebody else had moved users after this
	// switch. Unset if nobody did. TookEffectAt and Unsettled then describe the other
	// routes.
	OverruledAt *metav1.Time `json:"overruledAt,omitempty"`

	// OverruledTo is the colour that they moved users to.
	OverruledTo Color `json:"overruledTo,omitempty"`

	// From is the version that users were moved away from.
	From Version `json:"from"`

	// To is the version that users were moved to.
	To Version `json:"to"`

	// Beside is the same field of the release that moved it.
	// +kubebuilder:validation:MaxItems=40
	// +listType=atomic
	Beside []BesideImage `json:"beside,omitempty"`

	// Before is the version that /rollback returned to before this switch. A restore puts
	// it back.
	Before *Version `json:"before,omitempty"`

	// Shrunk is set once the colour that was left has its standby size.
	Shrunk bool `json:"shrunk,omitempty"`
}

// IngressSeen is since when the spec of an Ingress is unchanged.
type IngressSeen struct {
	// Generation of the Ingress.
	Generation int64 `json:"generation"`

	// Since is when it was first seen.
	Since metav1.Time `json:"since"`

	// UID of the release of this application that wrote it. Empty if somebody else did.
	UID string `json:"uid,omitempty"`
}

// RolledBack is a commit that users were moved away from by a rollback.
type RolledBack struct {
	// Commit that was left.
	Commit string `json:"commit"`

	// Release that moved away from it.
	Release string `json:"release"`

	// By is the login of whoever asked for the rollback.
	By string `json:"by,omitempty"`

	// At is the time of the rollback.
	At metav1.Time `json:"at"`
}
