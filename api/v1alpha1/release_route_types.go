package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LoadBalancer is a kind of load balancer, by what it lets be known.
//
// +kubebuilder:validation:Enum=GCE;Gateway;Other
type LoadBalancer string

// Kinds of load balancer.
const (
	LoadBalancerGCE     LoadBalancer = "GCE"     // Google's, programmed by ingress-gce: its own health checks and events can be seen
	LoadBalancerGateway LoadBalancer = "Gateway" // that of a Gateway: its controller reports in the route\'s status what it carried out
	LoadBalancerOther   LoadBalancer = "Other"   // any other Ingress controller: only endpoints and the public address can be seen
)

// RouteStatus is what a release knows of the load balancer that its Ingress
// programs.
type RouteStatus struct {
	// LoadBalancer that the Ingress programs.
	LoadBalancer LoadBalancer `json:"loadBalancer,omitempty"`

	// EventsBefore is the resource version of the Ingress's events right before the last
	// patch of its spec: later events are about the patch.
	EventsBefore string `json:"eventsBefore,omitempty"`

	// Unsettled is set if something else had changed the routes shortly before that patch:
	// an event of the URL map may be about that change.
	Unsettled bool `json:"unsettled,omitempty"`

	// Pokes counts how often Turnout made the load balancer's controller look at the
	// Ingress again and report what it finds.
	Pokes int32 `json:"pokes,omitempty"`

	// PokedAt is when it last did so.
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
	SignRouteStatus Sign = "RouteStatus" // every Gateway that had accepted the route reports in its status that it carried it out
	SignNewVersion  Sign = "NewVersion"  // the public address answered with the new version
	SignPerson      Sign = "Person"      // a person said so: turnout confirm
	SignWait        Sign = "Wait"        // there was none: Turnout waited for a fixed time
)

// ProofStatus is what the public address answered around the switch. While it is
// being asked, the numbers are those of the last checkpoint.
type ProofStatus struct {
	// Result is one of the Proof constants.
	Result ProofResult `json:"result"`

	// StartedAt is when the first request was sent.
	StartedAt *metav1.MicroTime `json:"startedAt,omitempty"`

	// EndedAt is when the last one was.
	EndedAt *metav1.MicroTime `json:"endedAt,omitempty"`

	// Requests that were answered, or broke; before the switch and after.
	Requests int32 `json:"requests,omitempty"`

	// Failed among them: 5xx, a broken connection, or no answer in time.
	Failed int32 `json:"failed,omitempty"`

	// Unseen counts requests that show nothing about the application: Turnout could not
	// connect, or the answer was a redirect, 401, 403 or 429.
	Unseen int32 `json:"unseen,omitempty"`

	// Baseline is what Turnout saw before the switch.
	Baseline *ProofBaseline `json:"baseline,omitempty"`

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

	// Message says in a sentence what Turnout saw, or why it saw nothing.
	Message string `json:"message,omitempty"`
}

// ProofBaseline is what the public address answered before the switch.
type ProofBaseline struct {
	// Requests and Failed among them, as in [ProofStatus].
	Requests int32 `json:"requests,omitempty"`
	Failed   int32 `json:"failed,omitempty"`

	// Failures are the kinds of failure that there were, such as "503".
	Failures []string `json:"failures,omitempty"`

	// Versions are the values of spec.proof.versionHeader that there were.
	Versions []string `json:"versions,omitempty"`
}

// ProofResult says what a proof has shown.
//
// +kubebuilder:validation:Enum=Measuring;Confirmed;Failed;Inconclusive;Interrupted;NotObserved
type ProofResult string

// What a proof has shown.
const (
	ProofMeasuring    ProofResult = "Measuring"    // it is under way
	ProofConfirmed    ProofResult = "Confirmed"    // from before the switch until after it, nothing failed that did not fail before
	ProofFailed       ProofResult = "Failed"       // something failed after the switch that did not before
	ProofInconclusive ProofResult = "Inconclusive" // Turnout's own way to the public address was in the way
	ProofInterrupted  ProofResult = "Interrupted"  // Turnout did not ask all the time
	ProofNotObserved  ProofResult = "NotObserved"  // it was not asked, or not answered, at all
)
