package v1alpha1

import (
	"math"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AnalysisSpec judges a new version by metrics, in each step of a canary and during the
// soak. In a canary it compares them with those of the version beside it, and in the soak
// with the last window before the switch.
//
// +kubebuilder:validation:XValidation:rule="has(self.prometheus) != has(self.google)",message="name one source of metrics: prometheus or google"
// +kubebuilder:validation:XValidation:rule="has(self.google) || !has(self.errors) && !has(self.latency)",message="errors and latency are metrics of Google's load balancer: they need google"
// +kubebuilder:validation:XValidation:rule="has(self.checks) && size(self.checks) > 0 || has(self.errors) || has(self.latency)",message="name at least one check, or errors or latency"
// +kubebuilder:validation:XValidation:rule="(has(self.checks) ? size(self.checks) : 0) + (has(self.errors) ? 1 : 0) + (has(self.latency) ? 1 : 0) <= 10",message="at most 10 checks, errors and latency among them"
type AnalysisSpec struct {
	// Prometheus with the metrics.
	Prometheus *PrometheusSpec `json:"prometheus,omitempty"`

	// Google: the metrics are in Cloud Monitoring, which includes those of Managed
	// Prometheus.
	Google *GoogleMetricsSpec `json:"google,omitempty"`

	// Mode says what a failed check does.
	// +kubebuilder:default=Enforce
	Mode AnalysisMode `json:"mode,omitempty"`

	// Interval between two judgements, and how far back each looks: $window in queries.
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('1h')",message="must be a duration such as 30s or 5m, more than 0s and at most 1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Interval metav1.Duration `json:"interval,omitzero"`

	// Deadline is how long after the end of the soak, or of a step of a canary, every check
	// may take to get a verdict.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('24h')",message="must be a duration such as 30s or 5m, more than 0s and at most 24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Deadline metav1.Duration `json:"deadline,omitzero"`

	// Checks of the application's own metrics.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=name
	Checks []MetricCheck `json:"checks,omitempty"`

	// Errors compares the errors that Google's load balancer counts.
	Errors *ErrorsCheck `json:"errors,omitempty"`

	// Latency compares the 95th percentile of the latency that Google's load balancer
	// measures.
	Latency *LatencyCheck `json:"latency,omitempty"`
}

// AnalysisMode says what a failed check does.
//
// +kubebuilder:validation:Enum=Enforce;Observe
type AnalysisMode string

// What a failed check does.
const (
	AnalysisEnforce AnalysisMode = "Enforce" // users go back, and the release fails
	AnalysisObserve AnalysisMode = "Observe" // it is only reported
)

// PrometheusSpec is a Prometheus, or a server with its HTTP API.
//
// +kubebuilder:validation:XValidation:rule="!has(self.authSecret) || size(self.authSecret) == 0 || self.url.startsWith('https://')",message="authSecret needs a url that begins with https://"
type PrometheusSpec struct {
	// URL of the server. The annotation turnout.dev/metrics must grant it to the namespace.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?$')`,message="must be an http or https address such as https://prometheus.example.com, without a user, a query or a fragment"
	URL string `json:"url"`

	// AuthSecret is a Secret of the namespace with the key token, or with the keys username
	// and password. Turnout needs the right to read it.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$')`,message="must be the name of a Secret: lower-case letters, digits, - and ."
	AuthSecret string `json:"authSecret,omitempty"`
}

// GoogleMetricsSpec is a project of Cloud Monitoring.
type GoogleMetricsSpec struct {
	// Project with the metrics. The annotation turnout.dev/metrics must grant it to the
	// namespace.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')`,message="must be the id of a Google Cloud project, such as acme-prod"
	Project string `json:"project"`

	// Backends are the load balancer's backend services of the colours: $backend in
	// queries. Default: those of the Ingress or the Gateway, if each colour has one.
	Backends *BackendNames `json:"backends,omitempty"`
}

// BackendNames are the load balancer's backend services of the two colours.
type BackendNames struct {
	// Backend service of the blue colour.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')`,message="must be the name of a backend service"
	Blue string `json:"blue"`

	// Backend service of the green colour.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$')`,message="must be the name of a backend service"
	Green string `json:"green"`
}

// MetricCheck is one metric and its condition. In its queries, $color, $service,
// $namespace, $version and $backend stand, within quotes, for the measured colour, and
// $window for spec.analysis.interval.
type MetricCheck struct {
	// Name of the check.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')`,message="must be lower-case letters, digits and -"
	// +kubebuilder:validation:XValidation:rule="self != 'errors' && self != 'latency'",message="errors and latency are the names of the ready-made checks"
	Name string `json:"name"`

	// Query in PromQL for one number. It must distinguish the two colours.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`

	// Samples is a query for the number of samples behind that number, such as requests.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Samples string `json:"samples"`

	// MinSamples is the least number of samples for a verdict.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	MinSamples int32 `json:"minSamples,omitempty"`

	// Pass is an expression in CEL over value and other, which is the value before the
	// switch or, in a canary, of the version beside it. Without it, the query counts errors
	// among the samples; by an exact test, there must not be more than in other.
	// +kubebuilder:validation:MaxLength=1024
	Pass string `json:"pass,omitempty"`

	// Failures in a row that fail the release.
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Failures int32 `json:"failures,omitempty"`
}

// ErrorsCheck compares, by an exact test, how many requests failed: with 5xx or without an
// answer.
type ErrorsCheck struct {
	// MinSamples is the least number of requests for a verdict.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	MinSamples int32 `json:"minSamples,omitempty"`

	// Failures in a row that fail the release.
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Failures int32 `json:"failures,omitempty"`
}

// LatencyCheck compares the 95th percentile of the backend's latency, in milliseconds.
type LatencyCheck struct {
	// MinSamples is the least number of requests for a verdict.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	MinSamples int32 `json:"minSamples,omitempty"`

	// Pass is an expression in CEL over value and other, both in milliseconds.
	// +kubebuilder:default="value <= other * 1.5 + 25.0"
	// +kubebuilder:validation:MaxLength=1024
	Pass string `json:"pass,omitempty"`

	// Failures in a row that fail the release.
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Failures int32 `json:"failures,omitempty"`
}

// AnalysisStatus is what metrics show of a new version.
type AnalysisStatus struct {
	// Mode of this release.
	Mode AnalysisMode `json:"mode"`

	// Weight of the canary's step that is judged; unset for the soak.
	Weight int32 `json:"weight,omitempty"`

	// Began is the start of the first window: nothing before it is judged.
	Began metav1.MicroTime `json:"began"`

	// BeforeKnown: the metrics of the last window before the switch were queried.
	BeforeKnown bool `json:"beforeKnown,omitempty"`

	// Asked is the end of the last judged window.
	Asked *metav1.MicroTime `json:"asked,omitempty"`

	// UnseenSince is since when no metric can be queried; unset if one can.
	UnseenSince *metav1.MicroTime `json:"unseenSince,omitempty"`

	// Unseen is the reason.
	Unseen string `json:"unseen,omitempty"`

	// LastTryAt is when the metrics were last tried.
	LastTryAt *metav1.MicroTime `json:"lastTryAt,omitempty"`

	// Checks by name.
	// +listType=map
	// +listMapKey=name
	Checks []CheckStatus `json:"checks,omitempty"`
}

// CheckStatus is what one metric shows.
type CheckStatus struct {
	// Name of the check.
	Name string `json:"name"`

	// Pass is the expression that must hold; empty for an exact test of errors.
	Pass string `json:"pass,omitempty"`

	// Failures in a row that fail the release.
	Failures int32 `json:"failures"`

	// Failed is the present number of failures in a row.
	Failed int32 `json:"failed,omitempty"`

	// Verdicts is the number of verdicts.
	Verdicts int32 `json:"verdicts,omitempty"`

	// Other is the last window before the switch or, in a canary, the newest one of the
	// version beside it.
	Other *CheckPoint `json:"other,omitempty"`

	// Points are the newest windows, the newest last.
	// +listType=atomic
	Points []CheckPoint `json:"points,omitempty"`
}

// CheckPoint is one window of a metric.
type CheckPoint struct {
	// At is the end of the window.
	At metav1.MicroTime `json:"at"`

	// Value in the window. Empty if there was none.
	Value Number `json:"value,omitempty"`

	// Samples behind the value. Empty if unknown.
	Samples Number `json:"samples,omitempty"`

	// Verdict on the window.
	Verdict Verdict `json:"verdict,omitempty"`

	// Because says why there is no verdict.
	Because NoVerdictReason `json:"because,omitempty"`

	// Detail is the server's message.
	Detail string `json:"detail,omitempty"`
}

// Number is a finite number as text: Kubernetes' objects have no fractions.
type Number string

// NumberOf formats a number; empty if it is not finite.
func NumberOf(f float64) Number {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	return Number(strconv.FormatFloat(f, 'g', 10, 64))
}

// Float parses the number; false if there is none.
func (n Number) Float() (float64, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// Verdict on a metric in one window.
//
// +kubebuilder:validation:Enum=Pass;Fail;None
type Verdict string

// Verdicts on a metric.
const (
	VerdictPass Verdict = "Pass"
	VerdictFail Verdict = "Fail"
	VerdictNone Verdict = "None"
)

// NoVerdictReason is why there is no verdict on a metric.
//
// +kubebuilder:validation:Enum=TooFew;Empty;NotFinite;NoOther;Refused;Unreachable;Expression;Unknown
type NoVerdictReason string

// Why a metric has no verdict.
const (
	NoVerdictTooFew      NoVerdictReason = "TooFew"      // fewer samples than minSamples
	NoVerdictEmpty       NoVerdictReason = "Empty"       // the query found nothing
	NoVerdictNotFinite   NoVerdictReason = "NotFinite"   // the result is not a finite number
	NoVerdictNoOther     NoVerdictReason = "NoOther"     // the verdict needs a value from before the switch, and there is none
	NoVerdictRefused     NoVerdictReason = "Refused"     // the server refused the query, or answered with more than one number
	NoVerdictUnreachable NoVerdictReason = "Unreachable" // the server did not answer
	NoVerdictExpression  NoVerdictReason = "Expression"  // pass has no result
	NoVerdictUnknown     NoVerdictReason = "Unknown"     // the query uses something that is unknown for the colour
)
