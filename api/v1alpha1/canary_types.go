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
}

// CanaryStep is a share of the users, and how long the new version has it.
type CanaryStep struct {
	// Weight is how many of 100 requests the new version gets.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Weight int32 `json:"weight"`

	// For is how long, counted from when every Gateway has taken up the weight.
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	For metav1.Duration `json:"for"`
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

// SeenByUsers reports whether a release may have sent users to its target.
func (r *Release) SeenByUsers() bool {
	return r.LastWeight() != nil || r.Status.Milestones.SwitchIntendedAt != nil
}

// Divides reports whether a release may have sent a share of the users to its target, and
// has not switched all of them since.
func (r *Release) Divides() bool {
	return r.LastWeight() != nil && r.Status.Milestones.SwitchedAt == nil
}

// LastWeight is the weight that was intended last; nil before the first.
func (r *Release) LastWeight() *ShiftedWeight {
	if s := r.Status.Shift; s != nil && len(s.Weights) > 0 {
		return &s.Weights[len(s.Weights)-1]
	}
	return nil
}
