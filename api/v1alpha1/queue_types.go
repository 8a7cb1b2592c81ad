package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// QueueSpec says that each side of a worker has a queue of its own, and how to find out that
// it is empty. After a switch the workers of the side that users left work on, until every
// one of their pods says so.
//
// +kubebuilder:validation:XValidation:rule="has(self.http) != has(self.exec)",message="queue needs http or exec, and not both"
type QueueSpec struct {
	// HTTP is a request to every pod of the side: 200 means that the queue is empty, any
	// other answer that it is not.
	HTTP *QueueRequest `json:"http,omitempty"`

	// Exec is a command in every pod of the side: 0 means that the queue is empty, any other
	// exit code that it is not.
	Exec *QueueCommand `json:"exec,omitempty"`

	// Deadline is how long after the release the queue may have tasks until Turnout reports
	// it, with the condition WorkersKept. The workers work on.
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Deadline metav1.Duration `json:"deadline,omitzero"`
}

// QueueRequest is a GET request to a pod.
type QueueRequest struct {
	// Path of the request, with its query.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^/[^\s\pC#]*$')`,message="must be a path such as /queue/empty, without white space and #"
	// +kubebuilder:validation:XValidation:rule="!self.matches('/[.][.]?([/?]|$)')",message="must not have . or .. as a part"
	Path string `json:"path"`

	// Port of the pod.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
}

// QueueCommand is a command in the container that gets the image.
type QueueCommand struct {
	// Command and its arguments; no shell is involved.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self[0] != ''",message="the first word names the command"
	// +listType=atomic
	Command []string `json:"command"`

	// Timeout of one run in one pod. After it the queue counts as not empty; the command
	// itself is not killed.
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('1m')",message="must be a duration such as 10s or 1m, more than 0s and at most 1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// ConditionWorkersKept of a BlueGreen: True while workers of the side that users left still
// run after their queue's deadline. The next deploy waits for them; a rollback does not. The
// message names the ways out.
const ConditionWorkersKept = "WorkersKept"

// Reasons of [ConditionWorkersKept], and states of a [KeptWorker].
const (
	ReasonTasksLeft    = "TasksLeft"    // a pod says that its queue is not empty
	ReasonQueueUnknown = "QueueUnknown" // a pod could not be asked
	ReasonInUse        = "InUse"        // users may still reach the side
	ReasonNotAsked     = "NotAsked"     // no pod was asked yet
)

// KeptWorker is a worker that works on for the side that users left.
type KeptWorker struct {
	// Worker is its name.
	// +kubebuilder:validation:MaxLength=40
	Worker string `json:"worker"`

	// Deployment that still runs.
	// +kubebuilder:validation:MaxLength=253
	Deployment string `json:"deployment"`

	// State is why: TasksLeft, QueueUnknown, InUse or NotAsked.
	// +kubebuilder:validation:MaxLength=64
	State string `json:"state"`

	// Detail says what was seen, for people; may be empty.
	// +kubebuilder:validation:MaxLength=1024
	Detail string `json:"detail,omitempty"`
}
