package track

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Side is one colour as observed. A zero field means unknown, never bad.
type Side struct {
	// Color that was observed.
	Color v1alpha1.Color

	// Deployment and Service are the names of its objects, whether or not they exist.
	Deployment, Service string

	// DeploymentExists and ServiceExists report whether they exist.
	DeploymentExists, ServiceExists bool

	// DeploymentUID distinguishes the Deployment from a later one of the same name.
	DeploymentUID types.UID

	// Generation of the Deployment. It only grows, also with changes of annotations.
	Generation int64

	// SwitchedBy names the release that last brought users to this colour, or is about to; "" if
	// none did.
	SwitchedBy string

	// Replicas is the size asked for: spec.replicas.
	Replicas int32

	// Containers of the pod template, by name, for messages about an ambiguous choice.
	Containers []string

	// Container that gets the image; "" if it is ambiguous or absent, see
	// [ChooseContainer].
	Container string

	// Image of that container in the pod template, as written there.
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

	// Progress describes the rollout's progress to people.
	Progress string

	// Failure is why the rollout will not succeed, as soon as that is certain.
	Failure *Failure

	// LookAgainAt is when a problem that is too recent to be a Failure becomes one without any
	// object changing; zero if there is none.
	LookAgainAt time.Time

	// Autoscaler of the Deployment, whether that exists or not.
	Autoscaler Autoscaler

	// ServiceColored and DeploymentColored report whether the selector names the colour. Only
	// then can the other colour's object be created from it.
	ServiceColored, DeploymentColored bool

	// Selector of the Service, MatchLabels of the Deployment's selector, and Labels
	// of its pod template.
	Selector, MatchLabels, Labels map[string]string

	// Unselected are the ready pods that the Service does not select, by name.
	Unselected []string

	// Ports of the Service, and where they lead.
	Ports []Port

	// UserPort is the pod's port that users are routed to, that of the first route if there are
	// several; 0 if unknown. The reader of the routes sets it.
	UserPort int32

	// Probe is the readiness probe of Container, if it is an HTTP request to the
	// pod itself.
	Probe *Probe
}

// Ready returns the pods that are ready and not terminating.
func (s Side) Ready() []Pod {
	var ready []Pod
	for _, pod := range s.Pods {
		if pod.Ready && !pod.Terminating {
			ready = append(ready, pod)
		}
	}
	return ready
}

// Restarts counts the restarts of all containers of all its pods.
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

	// UID distinguishes it from a later pod of the same name.
	UID types.UID

	// IP of the pod; "" while it has none.
	IP string

	// Created is its creation time, to the second.
	Created time.Time

	// Ready is the condition Ready. ReadySince is its last change, to the second.
	Ready      bool
	ReadySince time.Time

	// ContainersReady is that condition. Such a pod is unready only because of its readiness
	// gates.
	ContainersReady bool

	// NoRoom is why no node takes it, in the scheduler's words; "" once it is scheduled.
	NoRoom string

	// Gates are its readiness gates.
	Gates []Gate

	// Terminating: its deletion has begun.
	Terminating bool

	// Restarts of all its containers.
	Restarts int32
}

// Gate is a readiness gate: a condition, written by somebody else such as a load balancer's
// controller, without which the pod is not ready.
type Gate struct {
	// Type of the condition.
	Type string

	// True is its status. Reason and Message say why, and are empty until somebody has
	// written the condition.
	True            bool
	Reason, Message string
}

// Probe is an HTTP readiness probe, the application's own definition of healthy.
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
	// Reason is Kubernetes' word, such as CrashLoopBackOff.
	Reason v1alpha1.FailureReason

	// Message describes it to a person, with the object and, if known, the way out.
	Message string

	// Pod and Container that failed; "" if the failure is not about a pod.
	Pod, Container string

	// ExitCode of the container's last exit, if it exited.
	ExitCode *int32

	// Previous: the failed container has been replaced, so read its previous log.
	Previous bool
}

// Port is a port of a Service and where it leads.
type Port struct {
	// Name and Number of the Service's port.
	Name   string
	Number int32

	// Pod is the pod's port, with a named one resolved in the template; 0 if no container has it.
	Pod int32
}
