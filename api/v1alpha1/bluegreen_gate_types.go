package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GateSpec is the health gate: checks that every pod of the target must pass, all
// of them, before users reach it. With neither http nor exec the readiness
// probe's own path is asked, and the release says so.
//
// The requests of http are made again under live traffic, during the soak, and of
// the previous colour before traffic goes back to it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tryTimeout) || !has(self.timeout) || !self.tryTimeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || !self.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || duration(self.tryTimeout) <= duration(self.timeout)",message="tryTimeout must not exceed timeout"
// +kubebuilder:validation:XValidation:rule="!has(self.exec) || !has(self.exec.timeout) || !has(self.timeout) || !self.exec.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || !self.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || duration(self.exec.timeout) <= duration(self.timeout)",message="exec.timeout must not exceed timeout"
type GateSpec struct {
	// HTTP requests that every pod of the target must answer.
	// +kubebuilder:validation:MaxItems=16
	HTTP []HTTPCheck `json:"http,omitempty"`

	// Exec runs a command in every pod of the target, in each round whose
	// requests were all answered well. It is not run under live traffic.
	Exec *ExecCheck `json:"exec,omitempty"`

	// Consecutive is how many rounds of all checks in a row must pass.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	Consecutive int32 `json:"consecutive,omitempty"`

	// Interval from one round to the next.
	// +kubebuilder:default="2s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Interval metav1.Duration `json:"interval,omitzero"`

	// TryTimeout bounds one request. A command has exec.timeout.
	// +kubebuilder:default="2s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	TryTimeout metav1.Duration `json:"tryTimeout,omitzero"`

	// Timeout bounds the gate as a whole.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`

	// Freshness is the greatest age of a pass at the switch, and of Google's load
	// balancer's word that it finds the pods healthy; an older one is asked for again
	// first.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Freshness metav1.Duration `json:"freshness,omitzero"`
}

// HTTPCheck is one request to a pod and what its answer must be.
type HTTPCheck struct {
	// Path of the request, with its query.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^/[^\s\pC#]*$')`,message="must be a path such as /healthz, without white space and #"
	// +kubebuilder:validation:XValidation:rule="!self.matches('/[.][.]?([/?]|$)')",message="must not have . or .. as a part"
	Path string `json:"path"`

	// Port of the pod. Default: the port that the Ingress routes users to; if it
	// routes them to several, that of its first route.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// Scheme of the request.
	// +kubebuilder:default=HTTP
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	Scheme string `json:"scheme,omitempty"`

	// Headers of the request.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 128 && size(self[k]) <= 4096)",message="names have at most 128 characters, values 4096"
	Headers map[string]string `json:"headers,omitempty"`

	// Status the answer must have.
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`

	// BodyContains is a text that the first 64 KiB of the answer must contain.
	// +kubebuilder:validation:MaxLength=4096
	BodyContains string `json:"bodyContains,omitempty"`

	// Header values that the answer must have; the case of names does not matter.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 128 && size(self[k]) <= 4096)",message="names have at most 128 characters, values 4096"
	Header map[string]string `json:"header,omitempty"`
}

// ExecCheck is a command that must end with 0 in every pod of the target, within
// its timeout. It runs in the container that gets the image, with that
// container's files, environment and user. What it writes is shown if it fails.
type ExecCheck struct {
	// Command and its arguments; no shell is involved.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self[0] != ''",message="the first word names the command"
	Command []string `json:"command"`

	// Timeout of one run in one pod. A run that takes longer has failed; its
	// connection is closed, which does not end the command itself.
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('1m')",message="must be a duration such as 10s or 1m, more than 0s and at most 1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// EvidenceSpec says what of an application that fails goes into its release, and
// from there to everybody who may read its repository's pull requests. Secrets of
// known shapes are masked in any case.
type EvidenceSpec struct {
	// Logs: the last lines of the container that fails, and of a command of the gate,
	// or none.
	// +kubebuilder:default=Tail
	Logs EvidenceLogs `json:"logs,omitempty"`
}

// EvidenceLogs is how much of a log is evidence.
//
// +kubebuilder:validation:Enum=None;Tail
type EvidenceLogs string

// How much of a log is evidence.
const (
	LogsNone EvidenceLogs = "None" // nothing is read, and nothing kept
	LogsTail EvidenceLogs = "Tail" // the last 20 lines
)
