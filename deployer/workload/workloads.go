package workload

import (
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Workloads reads and writes the Deployments and Services of both colours.
type Workloads struct {
	// Client reads observations, cached or not, and writes.
	Client client.Client

	// Reader reads, uncached, what a write is based on.
	Reader client.Reader

	// Clientset reads the logs of containers, which the other clients cannot.
	Clientset kubernetes.Interface
}
