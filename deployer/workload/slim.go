package workload

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Slim returns the part of an object that is read, for a cache. For a pod that is the smaller
// part, and a cluster has many pods outside any application; for a ReplicaSet all but its template,
// and a Deployment has many of them. managedFields, often half of an object, are read only for
// Ingresses. What many objects say in their labels is there once.
//
// It is a cache's transform, which gets every object once, before anybody else. Anything that is
// no object passes unchanged.
func Slim(object any) (any, error) {
	switch o := object.(type) {
	case *networkingv1.Ingress:
		return o, nil
	case *corev1.Pod:
		object = slimPod(o)
	case *appsv1.ReplicaSet:
		object = slimSet(o)
	case *discoveryv1.EndpointSlice:
		object = slimEndpoints(o)
	}
	if o, err := meta.Accessor(object); err == nil {
		o.SetManagedFields(nil)
		o.SetNamespace(shared(o.GetNamespace()))
		share(o.GetLabels())
	}
	return object, nil
}

// share replaces the keys and values of labels by shared ones.
func share(labels map[string]string) {
	for key, value := range labels {
		delete(labels, key)
		labels[shared(key)] = shared(value)
	}
}

// shared is a text, in memory once for all who have it.
func shared(s string) string { return unique.Make(s).Value() }

// slimSet keeps what [Workloads.Observe] reads of a ReplicaSet, and its keys. Its template is only
// compared.
func slimSet(o *appsv1.ReplicaSet) *appsv1.ReplicaSet {
	slim := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion,
			CreationTimestamp: o.CreationTimestamp, DeletionTimestamp: o.DeletionTimestamp, OwnerReferences: o.OwnerReferences,
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: o.Spec.Replicas,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
				Annotations: map[string]string{digestAnnotation: digest(&o.Spec.Template)},
			}},
		},
		Status: appsv1.ReplicaSetStatus{
			Replicas: o.Status.Replicas, AvailableReplicas: o.Status.AvailableReplicas, Conditions: o.Status.Conditions,
		},
	}
	if hash, ok := o.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; ok {
		slim.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash}
	}
	return slim
}

// digestAnnotation has the digest of a template that [Slim] left out.
const digestAnnotation = "turnout.dev/template-digest"

// digest is the same for two templates if Kubernetes' deployment controller takes them for the same:
// whatever its own label says. Of a template that [Slim] left out, it is what that one had.
func digest(t *corev1.PodTemplateSpec) string {
	if len(t.Spec.Containers) == 0 { // no template of a pod
		return t.Annotations[digestAnnotation]
	}
	plain := *t
	plain.Labels = maps.Clone(t.Labels)
	delete(plain.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	text, err := json.Marshal(plain)
	if err != nil { // never, since it was read from text; then it is like no other
		return rand.Text()
	}
	sum := sha256.Sum256(text)
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// slimEndpoints keeps which pods a slice has, and whether they are ready; or their addresses, if it
// names no pods.
func slimEndpoints(o *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	slim := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion,
	}}
	if service, ok := o.Labels[discoveryv1.LabelServiceName]; ok {
		slim.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	}
	for _, e := range o.Endpoints {
		kept := discoveryv1.Endpoint{Conditions: discoveryv1.EndpointConditions{Ready: e.Conditions.Ready}}
		if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
			kept.TargetRef = &corev1.ObjectReference{Kind: "Pod", Name: e.TargetRef.Name}
		} else {
			kept.Addresses = e.Addresses
		}
		slim.Endpoints = append(slim.Endpoints, kept)
	}
	return slim
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
