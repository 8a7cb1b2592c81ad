package workload

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Slim returns the part of an object that is read, for a cache. For a pod that is the smaller
// part, and a cluster has many pods outside any application. managedFields, often half of an
// object, are read only for Ingresses.
//
// It is a cache's transform, which gets every object once, before anybody else. Anything that is
// no object passes unchanged.
func Slim(object any) (any, error) {
	switch o := object.(type) {
	case *networkingv1.Ingress:
		return o, nil
	case *corev1.Pod:
		return slimPod(o), nil
	}
	if o, err := meta.Accessor(object); err == nil {
		o.SetManagedFields(nil)
	}
	return object, nil
}

// slimPod keeps what [Workloads.Observe] reads of a pod, and its keys.
func slimPod(p *corev1.Pod) *corev1.Pod {
	slim := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion,
			CreationTimestamp: p.CreationTimestamp, DeletionTimestamp: p.DeletionTimestamp,
			Labels: p.Labels, OwnerReferences: p.OwnerReferences,
		},
	}
	if owner := metav1.GetControllerOf(p); owner == nil || owner.Kind != "ReplicaSet" {
		if p.Labels[v1alpha1.MigrationLabel] == "" {
			slim.Labels = nil
		}
		return slim // no Deployment's pod
	}
	slim.Spec.ReadinessGates = p.Spec.ReadinessGates
	slim.Status = corev1.PodStatus{
		Phase: p.Status.Phase, PodIP: p.Status.PodIP, Conditions: p.Status.Conditions,
		ContainerStatuses: slimContainers(p.Status.ContainerStatuses), InitContainerStatuses: slimContainers(p.Status.InitContainerStatuses),
	}
	return slim
}

func slimContainers(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	var slim []corev1.ContainerStatus
	for _, c := range all {
		slim = append(slim, corev1.ContainerStatus{
			Name: c.Name, Ready: c.Ready, RestartCount: c.RestartCount, Image: c.Image, ImageID: c.ImageID,
			State: c.State, LastTerminationState: c.LastTerminationState,
		})
	}
	return slim
}
