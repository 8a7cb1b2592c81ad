package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CanarySpec brings users to a new version in steps, before the switch gives it all of
// them.
type CanarySpec struct {
	// Steps that a release takes, each with a larger weight than the one before. After the
	// last one comes the switch.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="self.map(s, s.weight).isSorted() && self.all(s, self.exists_one(o, o.weight == s.weight))",message="each step needs a larger weight than the one before"
	Steps []CanaryStep `json:"steps"`

	// Cohort is how testers reach the new version during the steps, whatever its share: with
	// Header by the header X-Turnout-Cohort: canary, which anybody may send. None: not at all.
	// +kubebuilder:default=Header
	Cohort Cohort `json:"cohort,omitempty"`
}

// Cohort is how testers reach the new version of a canary.
//
// +kubebuilder:validation:Enum=Header;None
type Cohort string

// How testers reach the new version of a canary.
const (
	CohortHeader Cohort = "Header" // by the header X-Turnout-Cohort: canary
	CohortNone   Cohort = "None"   // only by its share
)

// The header of [CohortHeader].
const (
	CohortHeaderName  = "X-Turnout-Cohort"
	CohortHeaderValue = "canary"
)

// CanaryStep is a share of the users, and how long the new version has it.
//
// +kubebuilder:validation:XValidation:rule="has(self.__for__) != has(self.until)",message="a step ends after a time or when somebody promotes it: name for or until"
type CanaryStep struct {
	// Weight is how many of 100 requests the new version gets.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Weight int32 `json:"weight"`

	// For is how long, counted from when every Gateway has taken up the weight. Not with
	// until.
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	For metav1.Duration `json:"for,omitzero"`

	// Until is what ends the step instead of a time.
	Until StepEnd `json:"until,omitempty"`
}

// StepEnd is what ends a step of a canary, if not a time.
//
// +kubebuilder:validation:Enum=Promote
type StepEnd string

// UntilPromote ends a step when a person promotes it.
const UntilPromote StepEnd = "Promote"

// Promotion lets the target of a release have a share of the users without waiting for the
// times of the steps before.
type Promotion struct {
	// Weight of the target, of 100: that of a step, or 100 for the switch.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight"`

	// By is who asked, as in cause.actor.
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by"`

	// At is when somebody asked for it.
	At metav1.Time `json:"at"`

	// Cause says where it was asked.
	Cause Cause `json:"cause"`
}

// ShiftStatus is how a release divides users between the two colours, before its switch.
type ShiftStatus struct {
	// Steps as spec.canary had them when the first weight was intended.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	Steps []CanaryStep `json:"steps"`

	// Weights of the target, each as it was intended, in their order. The last one that was
	// intended or accepted is Turnout's; any other is somebody else's.
	// +kubebuilder:validation:MaxItems=12
	// +listType=atomic
	Weights []ShiftedWeight `json:"weights"`

	// Replicas is the largest size that the previous colour had since the first weight was
	// intended. Both colours keep it until the end of the soak.
	Replicas int32 `json:"replicas"`

	// Cohort is what became of the header that leads testers to the target; unset if it was
	// never to lead there.
	Cohort *ShiftCohort `json:"cohort,omitempty"`

	// Watch is the state of the watch of the target's pods while it has a share.
	Watch *SoakStatus `json:"watch,omitempty"`
}

// ShiftedWeight is a weight that a release gave the target.
type ShiftedWeight struct {
	// Weight of the target, of 100.
	Weight int32 `json:"weight"`

	// IntendedAt is when Turnout was about to patch the route.
	IntendedAt metav1.MicroTime `json:"intendedAt"`

	// Generation of the route in which the patch was seen; 0 until then.
	Generation int64 `json:"generation,omitempty"`

	// EffectiveAt is when every Gateway that had accepted the route was seen to have taken
	// up that generation.
	EffectiveAt *metav1.MicroTime `json:"effectiveAt,omitempty"`

	// EffectiveBy says which sign it was.
	EffectiveBy Sign `json:"effectiveBy,omitempty"`

	// LockedSince is since when a lock stops the step's clock; unset without one.
	LockedSince *metav1.MicroTime `json:"lockedSince,omitempty"`

	// Locked is how long earlier locks have stopped it.
	Locked *metav1.Duration `json:"locked,omitempty"`
}

// ShiftCohort is the header that leads testers to the target. It is in the standby route.
type ShiftCohort struct {
	// IntendedAt is when Turnout was about to write it.
	IntendedAt metav1.MicroTime `json:"intendedAt"`

	// Generation of the standby route in which it was seen last; 0 until then.
	Generation int64 `json:"generation,omitempty"`

	// EndedAt is when it was taken out again; unset until then.
	EndedAt *metav1.MicroTime `json:"endedAt,omitempty"`

	// EndedIn is the generation of the standby route without it.
	EndedIn int64 `json:"endedIn,omitempty"`

	// EndIntendedAt is when Turnout was first about to take it out; unset until then.
	EndIntendedAt *metav1.MicroTime `json:"endIntendedAt,omitempty"`

	// LeftAt is when the release stopped waiting for that: the header could not be taken out, or
	// not every Gateway had taken that up, for spec.deadlines.confirm. A finding says which.
	LeftAt *metav1.MicroTime `json:"leftAt,omitempty"`
}

// SeenByUsers reports whether a release may have sent users to its target.
func (r *Release) SeenByUsers() bool {
	return r.LastWeight() != nil || r.Status.Milestones.SwitchIntendedAt != nil
}

// Divides reports whether a release may have sent a share of the users to its target, and
// has not switched all of them since.
func (r *Release) Divides() bool {
	return r.LastWeight() != nil && r.Status.Milestones.SwitchedAt == nil
}

// Promoted is the largest weight to which a release was promoted; 0 if it was not.
func (s *ReleaseSpec) Promoted() int32 {
	var most int32
	for _, p := range s.Promotions {
		most = max(most, p.Weight)
	}
	return most
}

// NextWeight is the weight that follows the one that was intended last; 100 for the switch.
func (r *Release) NextWeight() int32 {
	if last := r.LastWeight(); last != nil {
		for _, s := range r.Status.Shift.Steps {
			if s.Weight > last.Weight {
				return s.Weight
			}
		}
	}
	return Everybody
}

// Everybody is the weight of a version that all users get.
const Everybody = 100

// LastWeight is the weight that was intended last; nil before the first.
func (r *Release) LastWeight() *ShiftedWeight {
	if s := r.Status.Shift; s != nil && len(s.Weights) > 0 {
		return &s.Weights[len(s.Weights)-1]
	}
	return nil
}
