package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LoadBalancer is a kind of load balancer. Kinds differ in what Turnout can observe.
//
// +kubebuilder:validation:Enum=GCE;Gateway;Other
type LoadBalancer string

// Kinds of load balancer.
const (
	LoadBalancerGCE     LoadBalancer = "GCE"     // Google's, programmed by ingress-gce: its own health checks and events can be seen
	LoadBalancerGateway LoadBalancer = "Gateway" // that of a Gateway: its controller reports in the route\'s status what it carried out
	LoadBalancerOther   LoadBalancer = "Other"   // any other Ingress controller: only endpoints and the public address can be seen
)

// RouteStatus is what a release knows about the load balancer behind its Ingress.
type RouteStatus struct {
	// LoadBalancer behind the Ingress.
	LoadBalancer LoadBalancer `json:"loadBalancer,omitempty"`

	// EventsBefore is the resource version of the Ingress's events right before the last
	// patch of its spec: later events are about the patch. Only Google's controllers report by events;
	// on other classes it is empty.
	EventsBefore string `json:"eventsBefore,omitempty"`

	// Unsettled is set if something else had changed the routes shortly before that patch:
	// an event of the URL map may be about that change.
	Unsettled bool `json:"unsettled,omitempty"`

	// Pokes counts how often Turnout made the load balancer's controller check the Ingress
	// again.
	Pokes int32 `json:"pokes,omitempty"`

	// PokedAt is the time of the last poke.
	PokedAt *metav1.MicroTime `json:"pokedAt,omitempty"`

	// HealthySince is since when the load balancer finds some endpoint of the target
	// healthy. Unset if it reports each endpoint.
	HealthySince *metav1.MicroTime `json:"healthySince,omitempty"`

	// Parents are digests of the names of the Gateways, each with its controller, that had
	// accepted the route right before the last switch: all of them must report that they
	// carried it out.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=16
	Parents []string `json:"parents,omitempty"`

	// Mixed: users were on both colours when this rollback was claimed, and no release
	// divided them. It brings all of them to its target, whatever the weights are.
	Mixed bool `json:"mixed,omitempty"`

	// TookEffectAt is when Turnout saw the first sign that the load balancer uses the
	// routes of the last switch.
	TookEffectAt *metav1.MicroTime `json:"tookEffectAt,omitempty"`

	// TookEffectBy says which sign it was.
	TookEffectBy Sign `json:"tookEffectBy,omitempty"`
}

// Sign that a load balancer uses new routes.
//
// +kubebuilder:validation:Enum=URLMap;URLMapRead;RouteStatus;NewVersion;Person;Wait
type Sign string

// Signs that a load balancer uses new routes.
const (
	SignURLMap      Sign = "URLMap"      // its controller's event says that the URL map was updated
	SignURLMapRead  Sign = "URLMapRead"  // the URL map itself was read, and leads there
	SignRouteStatus Sign = "RouteStatus" // every Gateway that had accepted the route reports it in effect
	SignNewVersion  Sign = "NewVersion"  // the public address answered with the new version
	SignPerson      Sign = "Person"      // a person confirmed it: turnout confirm
	SignWait        Sign = "Wait"        // no sign: Turnout waited for a fixed time
)

// ProofStatus is what the public address answered around the switch. During the
// measurement, the numbers are those of the last checkpoint.
type ProofStatus struct {
	// Result is one of the Proof constants.
	Result ProofResult `json:"result"`

	// StartedAt is the time of the first request.
	StartedAt *metav1.MicroTime `json:"startedAt,omitempty"`

	// EndedAt is the time of the last request.
	EndedAt *metav1.MicroTime `json:"endedAt,omitempty"`

	// Requests that were answered or broke, before and after the switch.
	Requests int32 `json:"requests,omitempty"`

	// Failed among them: 5xx, a broken connection, or no answer in time.
	Failed int32 `json:"failed,omitempty"`

	// Unseen counts requests that show nothing about the application: Turnout could not
	// connect, or the answer was a redirect, 401, 403 or 429.
	Unseen int32 `json:"unseen,omitempty"`

	// Baseline is what Turnout saw before the switch.
	Baseline *ProofBaseline `json:"baseline,omitempty"`

	// Shift is what Turnout saw while users were divided between both versions. These requests
	// are not among the others. Unset without such a time.
	Shift *ProofShift `json:"shift,omitempty"`

	// NewFailures counts the failures after the switch of a kind that the baseline
	// did not have, or had clearly less often.
	NewFailures int32 `json:"newFailures,omitempty"`

	// P50, P99 and Max of the answers' times, of all that were not Unseen.
	P50 *metav1.Duration `json:"p50,omitempty"`
	P99 *metav1.Duration `json:"p99,omitempty"`
	Max *metav1.Duration `json:"max,omitempty"`

	// NewVersion is the value of spec.proof.versionHeader that the baseline did not have.
	// Empty without such an answer, or without versionHeader.
	NewVersion string `json:"newVersion,omitempty"`

	// NewVersionAfter is the time from the switch to the new version's first answer.
	NewVersionAfter *metav1.Duration `json:"newVersionAfter,omitempty"`

	// OldVersionUntil is the time from the switch to the old version's last answer.
	OldVersionUntil *metav1.Duration `json:"oldVersionUntil,omitempty"`

	// InterruptedAt is when Turnout stopped measuring early, because it restarted or
	// another instance took over. Requests since the last checkpoint are lost.
	InterruptedAt *metav1.MicroTime `json:"interruptedAt,omitempty"`

	// LastFailure says how the last failed request failed.
	LastFailure string `json:"lastFailure,omitempty"`

	// Message says in a sentence what Turnout measured, or why it measured nothing.
	Message string `json:"message,omitempty"`
}

// ProofBaseline is what the public address answered before the switch.
type ProofBaseline struct {
	// Requests and Failed among them, as in [ProofStatus].
	Requests int32 `json:"requests,omitempty"`
	Failed   int32 `json:"failed,omitempty"`

	// Failures are the kinds of failure before the switch, such as "503".
	Failures []string `json:"failures,omitempty"`

	// Versions are the values of spec.proof.versionHeader before the switch.
	Versions []string `json:"versions,omitempty"`
}

// ProofShift is what the public address answered while users were divided between both
// versions: Turnout asks it once a second then.
type ProofShift struct {
	// Requests, Failed among them, and Unseen, as in [ProofStatus].
	Requests int32 `json:"requests,omitempty"`
	Failed   int32 `json:"failed,omitempty"`
	Unseen   int32 `json:"unseen,omitempty"`

	// NewFailures counts the failures of a kind that the baseline did not have, or had
	// clearly less often, without those of the version that users had before.
	NewFailures int32 `json:"newFailures,omitempty"`

	// Versions that answered, by spec.proof.versionHeader. Empty without it.
	// +kubebuilder:validation:MaxItems=9
	// +listType=atomic
	Versions []ProofVersion `json:"versions,omitempty"`
}

// ProofVersion counts the answers of one version.
type ProofVersion struct {
	// Version in spec.proof.versionHeader.
	Version string `json:"version"`

	// Requests that it answered, and Failed among them.
	Requests int32 `json:"requests,omitempty"`
	Failed   int32 `json:"failed,omitempty"`
}

// ProofResult is the result of a proof.
//
// +kubebuilder:validation:Enum=Measuring;Confirmed;Failed;Inconclusive;Interrupted;NotObserved
type ProofResult string

// Results of a proof.
const (
	ProofMeasuring    ProofResult = "Measuring"    // the measurement is under way
	ProofConfirmed    ProofResult = "Confirmed"    // from before the switch until after it, there were no new failures
	ProofFailed       ProofResult = "Failed"       // there were new failures after the switch
	ProofInconclusive ProofResult = "Inconclusive" // Turnout's own connection to the public address had trouble
	ProofInterrupted  ProofResult = "Interrupted"  // Turnout did not measure all the time
	ProofNotObserved  ProofResult = "NotObserved"  // there was no request, or no answer, at all
)
