package track

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Side is one colour as observed. The zero value of a field means that nothing
// is known, never that something went wrong.
type Side struct {
	// Color that was observed.
	Color v1alpha1.Color

	// Deployment and Service are the names of its objects, whether they exist or
	// not.
	Deployment, Service string

	// DeploymentExists and ServiceExists say whether they do.
	DeploymentExists, ServiceExists bool

	// DeploymentUID tells the Deployment from a later one of its name.
	DeploymentUID types.UID

	// Generation of the Deployment. It never comes back, and changes with the
	// Deployment's annotations, too.
	Generation int64

	// SwitchedBy names the release that last brought users to this colour, or is
	// about to; "" if none did.
	SwitchedBy string

	// Replicas is the size asked for: spec.replicas.
	Replicas int32

	// Containers of the pod template, by name, so that an ambiguous one can be
	// told.
	Containers []string

	// Container that gets the image; "" if it is ambiguous or absent, see
	// [ChooseContainer].
	Container string

	// Image of that container in the pod template, in the template's words.
	Image string

	// RunningImage is that container's image as repository@sha256:…, as the pods
	// of the current ReplicaSet report it; "" if unknown, or if they differ.
	RunningImage string

	// Commit and Release that staged the pod template; "" if Turnout did not.
	Commit, Release string

	// TemplateHash is the pod-template-hash of the current ReplicaSet; "" while
	// there is none.
	TemplateHash string

	// RolledOut: the controllers have seen the latest spec, the size is not 0,
	// every pod of the current ReplicaSet is available, and no older ReplicaSet
	// has a pod left.
	RolledOut bool

	// Updated and Available count the pods of the current ReplicaSet.
	Updated, Available int32

	// Pods of the current ReplicaSet that have not ended, sorted by name.
	Pods []Pod

	// Progress says for people how far the rollout is.
	Progress string

	// Failure is why the rollout will not succeed, as soon as that can be told.
	Failure *Failure

	// LookAgainAt is when a trouble that is still too young to be a Failure
	// becomes one, without any object changing; zero if there is none.
	LookAgainAt time.Time

	// Autoscaler of the Deployment, whether that exists or not.
	Autoscaler Autoscaler

	// ServiceColored and DeploymentColored say whether the selector names the
	// colour. The other colour's can only be made from one that does.
	ServiceColored, DeploymentColored bool

	// Selector of the Service, MatchLabels of the Deployment's selector, and Labels
	// of its pod template.
	Selector, MatchLabels, Labels map[string]string

	// Unselected are the ready pods that the Service does not select, by name.
	Unselected []string

	// Ports of the Service, and where they lead.
	Ports []Port

	// UserPort is the port on the pod that users are routed to: of several, the one
	// of the first route; 0 if unknown. Only who knows the routes can tell it.
	UserPort int32

	// Probe is the readiness probe of Container, if it is an HTTP request to the
	// pod itself.
	Probe *Probe
}

// Ready are the pods that are ready, and are not asked to end.
func (s Side) Ready() []Pod {
	var ready []Pod
	for _, pod := range s.Pods {
		if pod.Ready && !pod.Terminating {
			ready = append(ready, pod)
		}
	}
	return ready
}

// Restarts are those of all its pods' containers.
func (s Side) Restarts() (n int32) {
	for _, pod := range s.Pods {
		n += pod.Restarts
	}
	return n
}

// Pod is one pod of a colour.
type Pod struct {
	// Namespace and Name of the pod.
	Namespace, Name string

	// UID tells it from a later one of its name.
	UID types.UID

	// IP of the pod; "" while it has none.
	IP string

	// Created is when it was made, to the second.
	Created time.Time

	// Ready is its condition Ready, ReadySince since when, to the second.
	Ready      bool
	ReadySince time.Time

	// ContainersReady is its condition ContainersReady: it would be ready but for
	// its gates.
	ContainersReady bool

	// NoRoom is why no node takes it, in the scheduler's words; "" if one did.
	NoRoom string

	// Gates are its readiness gates.
	Gates []Gate

	// Terminating: it was asked to end.
	Terminating bool

	// Restarts of all its containers.
	Restarts int32
}

// Gate is a condition that a pod waits for, besides its containers, to be ready.
// Somebody else writes it, such as a load balancer's controller.
type Gate struct {
	// Type of the condition.
	Type string

	// True is its status. Reason and Message say why, and are empty while nobody has
	// written the condition.
	True            bool
	Reason, Message string
}

// Probe is an HTTP readiness probe: the one statement about its health that an
// application brings along.
type Probe struct {
	// Path of the request, starting with /.
	Path string

	// Port of the pod, resolved if it was named.
	Port int32

	// Scheme is HTTP or HTTPS.
	Scheme string

	// Headers of the request.
	Headers map[string]string
}

// Failure is why a rollout will not succeed.
type Failure struct {
	// Reason in Kubernetes' word, such as CrashLoopBackOff.
	Reason v1alpha1.FailureReason

	// Message says it to a person, with the object and the way out if known.
	Message string

	// Pod and Container it was seen on; "" if it is no pod's.
	Pod, Container string

	// ExitCode of the container's last end, if it ended.
	ExitCode *int32

	// Previous: the container that failed is not the one there now, so its log
	// is the previous one's.
	Previous bool
}

// Port is a port of a Service and where it leads.
type Port struct {
	// Name and Number of the Service's port.
	Name   string
	Number int32

	// Pod is the port on the pod, a named one resolved in the template; 0 if no
	// container has it.
	Pod int32
}
