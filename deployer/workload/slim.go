package workload

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
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
// and a Deployment has many of them. managedFields and what kubectl applied last, together most of many
// an object, are not read, but for an Ingress' managedFields. What many objects say in their labels is
// there once, and so are labels that say the same as others of the object: a map takes ten times what is in it.
//
// It is a cache's transform, which gets every object once, before anybody else. Anything that is
// no object passes unchanged.
func Slim(object any) (any, error) {
	var same []*map[string]string // that often equal the labels
	switch o := object.(type) {
	case *networkingv1.Ingress:
		delete(o.Annotations, corev1.LastAppliedConfigAnnotation)
		return o, nil
	case *corev1.Pod:
		object = slimPod(o)
	case *appsv1.ReplicaSet:
		object = slimSet(o)
	case *discoveryv1.EndpointSlice:
		object = slimEndpoints(o)
	case *corev1.Service:
		same = append(same, &o.Spec.Selector)
	case *appsv1.Deployment:
		o.Status.Conditions = nil
		same = append(same, &o.Spec.Template.Labels)
		if o.Spec.Selector != nil {
			same = append(same, &o.Spec.Selector.MatchLabels)
		}
	}
	if o, err := meta.Accessor(object); err == nil {
		o.SetManagedFields(nil)
		delete(o.GetAnnotations(), corev1.LastAppliedConfigAnnotation)
		o.SetNamespace(shared(o.GetNamespace()))
		share(o.GetLabels(), same)
	}
	return object, nil
}

// share replaces the keys and values of labels by shared ones, and the other maps by an equal one before them.
func share(labels map[string]string, others []*map[string]string) {
	known := []map[string]string{labels}
	shareTexts(labels)
	for _, other := range others {
		i := slices.IndexFunc(known, func(m map[string]string) bool { return m != nil && maps.Equal(m, *other) })
		if i >= 0 {
			*other = known[i]
			continue
		}
		shareTexts(*other)
		known = append(known, *other)
	}
}

func shareTexts(labels map[string]string) {
	for key, value := range labels {
		delete(labels, key)
		labels[shared(key)] = shared(value)
	}
}

// shared is a text, in memory once for all who have it.
func shared(s string) string { return unique.Make(s).Value() }

// slimSet keeps what [Workloads.Observe] reads of a ReplicaSet, and its keys. Its template is only
// compared, and of its labels only the template's hash is read.
func slimSet(o *appsv1.ReplicaSet) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion,
			CreationTimestamp: o.CreationTimestamp, DeletionTimestamp: o.DeletionTimestamp, OwnerReferences: o.OwnerReferences,
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: o.Spec.Replicas,
			// No ReplicaSet's template has a name, nor what it was made from.
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Name: digest(&o.Spec.Template), GenerateName: hashOf(o)}},
		},
		Status: appsv1.ReplicaSetStatus{
			Replicas: o.Status.Replicas, AvailableReplicas: o.Status.AvailableReplicas, Conditions: o.Status.Conditions,
		},
	}
}

// left reports whether [Slim] left out a template: every pod's has containers.
func left(t *corev1.PodTemplateSpec) bool { return len(t.Spec.Containers) == 0 }

// hashOf is the hash by which Kubernetes' deployment controller names a ReplicaSet's template.
func hashOf(o *appsv1.ReplicaSet) string {
	if left(&o.Spec.Template) {
		return o.Spec.Template.GenerateName
	}
	return o.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
}

// digest is the same for two templates if Kubernetes' deployment controller takes them for the same:
// whatever its own label says. Of a template that [Slim] left out, it is what that one had.
func digest(t *corev1.PodTemplateSpec) string {
	if left(t) {
		return t.Name
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
		Phase: p.Status.Phase, PodIP: p.Status.PodIP, Conditions: slimConditions(p),
		ContainerStatuses: slimContainers(p.Status.ContainerStatuses), InitContainerStatuses: slimContainers(p.Status.InitContainerStatuses),
	}
	return slim
}

// slimConditions are those that tell whether a pod is ready, when it was scheduled, and why it is not.
func slimConditions(p *corev1.Pod) []corev1.PodCondition {
	var slim []corev1.PodCondition
	for _, c := range p.Status.Conditions {
		gate := slices.ContainsFunc(p.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return g.ConditionType == c.Type })
		switch c.Type {
		case corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled, corev1.PodInitialized:
		default:
			if !gate {
				continue
			}
		}
		slim = append(slim, c)
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
