package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// WorkersOwed says that a release ended before the workers followed users.
type WorkersOwed struct {
	// By is the release, followed by " back" if it failed: what is written on the workers'
	// Deployments once they follow, see [WorkersAnnotation].
	// +kubebuilder:validation:MaxLength=260
	By string `json:"by"`

	// Since is when it ended.
	Since metav1.Time `json:"since"`

	// Kept are the workers of the side that users left that work on until their queue is
	// empty.
	// +listType=map
	// +listMapKey=worker
	Kept []KeptWorker `json:"kept,omitempty"`
}
