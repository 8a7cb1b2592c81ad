package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PromotionSpec says whether a person must approve the switch.
type PromotionSpec struct {
	// Mode is Automatic, or Manual: wait for /promote.
	// +kubebuilder:default=Automatic
	Mode PromotionMode `json:"mode,omitempty"`

	// Timeout after which a release that nobody approved is discarded.
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// PromotionMode says who approves a switch.
//
// +kubebuilder:validation:Enum=Automatic;Manual
type PromotionMode string

// Who approves a switch.
const (
	PromotionAutomatic PromotionMode = "Automatic" // the gate alone
	PromotionManual    PromotionMode = "Manual"    // a person, by /promote
)

// ProofSpec says how Turnout measures the public address while the traffic moves.
// Without spec.url it measures nothing.
type ProofSpec struct {
	// Path of the request.
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^/[^\s\pC#]*$')`,message="must be a path such as /healthz, without white space and #"
	// +kubebuilder:validation:XValidation:rule="!self.matches('/[.][.]?([/?]|$)')",message="must not have . or .. as a part"
	Path string `json:"path,omitempty"`

	// Method of the request.
	// +kubebuilder:default=GET
	// +kubebuilder:validation:Enum=GET;HEAD
	Method string `json:"method,omitempty"`

	// VersionHeader is a response header with a different value in each version: it
	// shows which version answered. Default: none, and Turnout only counts answers.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[A-Za-z0-9_.-]*$')`,message="must be the name of a header, such as X-App-Version"
	VersionHeader string `json:"versionHeader,omitempty"`

	// Rate is the largest number of requests a second.
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	Rate int32 `json:"rate,omitempty"`

	// Baseline is how long Turnout measures before a deploy's switch: what fails then is
	// not a new failure afterwards. A rollback does not wait for it.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('10m')",message="must be a duration such as 30s or 5m, from 0s to 10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Baseline *metav1.Duration `json:"baseline,omitempty"`

	// Tail is how long Turnout goes on measuring after the switch took effect and, with
	// versionHeader, after the old version's last answer: the front ends of a load
	// balancer do not all switch at once.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('10m')",message="must be a duration such as 30s or 5m, from 0s to 10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Tail *metav1.Duration `json:"tail,omitempty"`
}

// Deadlines bound the steps that wait for Kubernetes or the load balancer.
type Deadlines struct {
	// Stage bounds the start of the target's pods.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Stage metav1.Duration `json:"stage,omitzero"`

	// Warm bounds the wait for the load balancer to find the target healthy.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Warm metav1.Duration `json:"warm,omitzero"`

	// Confirm bounds the wait for the public address to answer with the new
	// version.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Confirm metav1.Duration `json:"confirm,omitzero"`
}
