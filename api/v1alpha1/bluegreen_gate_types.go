package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GateSpec is the health gate: every pod of the target must pass all of its checks
// before users reach it. With neither http nor exec, the gate requests the path of
// the readiness probe, and the release says so.
//
// Turnout repeats the requests of http under live traffic, during the soak, and on the
// previous colour before traffic goes back to it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tryTimeout) || !has(self.timeout) || !self.tryTimeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || !self.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || duration(self.tryTimeout) <= duration(self.timeout)",message="tryTimeout must not exceed timeout"
// +kubebuilder:validation:XValidation:rule="!has(self.exec) || !has(self.exec.timeout) || !has(self.timeout) || !self.exec.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || !self.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || duration(self.exec.timeout) <= duration(self.timeout)",message="exec.timeout must not exceed timeout"
type GateSpec struct {
	// HTTP requests that every pod of the target must answer.
	// +kubebuilder:validation:MaxItems=16
	HTTP []HTTPCheck `json:"http,omitempty"`

	// Exec runs a command in every pod of the target, in each round whose requests all
	// passed. It does not run under live traffic.
	Exec *ExecCheck `json:"exec,omitempty"`

	// Consecutive is how many rounds in a row must pass.
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

	// Freshness is how old a pass of the gate may be at the switch, and the load
	// balancer's report that the pods are healthy. Turnout repeats an older one first.
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

	// Port of the pod. Default: the port that the Ingress routes users to, or the port
	// of its first route if there are several.
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

	// Header values that the answer must have. Names ignore case.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 128 && size(self[k]) <= 4096)",message="names have at most 128 characters, values 4096"
	Header map[string]string `json:"header,omitempty"`
}

// ExecCheck is a command that must exit with 0 in every pod of the target, within its
// timeout. It runs in the container that gets the image, with that container's files,
// environment and user. If it fails, the release shows its output.
type ExecCheck struct {
	// Command and its arguments; no shell is involved.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self[0] != ''",message="the first word names the command"
	Command []string `json:"command"`

	// Timeout of one run in one pod. A run that takes longer has failed. Turnout closes
	// its connection, which does not end the command itself.
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('1m')",message="must be a duration such as 10s or 1m, more than 0s and at most 1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// EvidenceSpec says what a release shows of an application that fails. Everybody who
// may read the repository's pull requests sees it. Secrets of known shapes are always
// masked.
type EvidenceSpec struct {
	// Logs says whether the release shows the last lines of the failing container, or of
	// the gate's command.
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
