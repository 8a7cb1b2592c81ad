package workload

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/index"
)

// objects are the API objects from which a [track.Side] is made.
type objects struct {
	deployment *appsv1.Deployment // nil if missing
	service    *corev1.Service    // nil if missing
	current    *appsv1.ReplicaSet // nil while there is none
	older      []appsv1.ReplicaSet
	pods       []corev1.Pod // of current
	hpas       []autoscalingv2.HorizontalPodAutoscaler
}

// Observe returns one colour as it is now. A missing object is data; an error means that
// the API server did not answer.
func (w *Workloads) Observe(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) (track.Side, error) {
	side := bg.Side(c)
	s := track.Side{Color: c, Deployment: side.Deployment, Service: side.Service}
	o, err := read(ctx, w.Client, bg.Namespace, side)
	if err != nil {
		return s, fmt.Errorf("observe %s of %s/%s: %w", c, bg.Namespace, bg.Name, err)
	}
	describe(&s, bg, o)
	s.Failure, s.LookAgainAt = diagnose(o, time.Now())
	return s, nil
}

func read(ctx context.Context, from client.Reader, namespace string, side v1alpha1.Side) (objects, error) {
	var o objects
	deployment, service := &appsv1.Deployment{}, &corev1.Service{}
	found, err := get(ctx, from, client.ObjectKey{Namespace: namespace, Name: side.Service}, service)
	if err != nil {
		return o, fmt.Errorf("read Service %s: %w", side.Service, err)
	}
	if found {
		o.service = service
	}
	found, err = get(ctx, from, client.ObjectKey{Namespace: namespace, Name: side.Deployment}, deployment)
	if err != nil {
		return o, fmt.Errorf("read Deployment %s: %w", side.Deployment, err)
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := index.List(ctx, from, &hpas, namespace, index.Scales, side.Deployment); err != nil {
		return o, fmt.Errorf("list the HorizontalPodAutoscalers of Deployment %s: %w", side.Deployment, err)
	}
	o.hpas = hpas.Items
	if !found {
		return o, nil
	}
	o.deployment = deployment
	return o, o.readOwned(ctx, from)
}

func get(ctx context.Context, from client.Reader, key client.ObjectKey, into client.Object) (found bool, err error) {
	err = from.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// readOwned reads the Deployment's ReplicaSets and pods.
func (o *objects) readOwned(ctx context.Context, from client.Reader) error {
	d := o.deployment
	var sets appsv1.ReplicaSetList
	if err := index.List(ctx, from, &sets, d.Namespace, index.Controller, string(d.UID)); err != nil {
		return fmt.Errorf("list the ReplicaSets of Deployment %s: %w", d.Name, err)
	}
	if o.current, o.older = split(d, sets.Items); o.current == nil {
		return nil
	}
	var pods corev1.PodList
	if err := index.List(ctx, from, &pods, d.Namespace, index.Controller, string(o.current.UID)); err != nil {
		return fmt.Errorf("list the pods of ReplicaSet %s: %w", o.current.Name, err)
	}
	o.pods = podsOf(o.current, pods.Items)
	return nil
}

// split separates a Deployment's current ReplicaSet from its older ones. If several have
// its template, the oldest is current, as for the deployment controller.
func split(d *appsv1.Deployment, sets []appsv1.ReplicaSet) (current *appsv1.ReplicaSet, older []appsv1.ReplicaSet) {
	slices.SortFunc(sets, func(a, b appsv1.ReplicaSet) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	template := digest(&d.Spec.Template)
	for i := range sets {
		if !metav1.IsControlledBy(&sets[i], d) {
			continue
		}
		if current == nil && digest(&sets[i].Spec.Template) == template {
			current = &sets[i]
			continue
		}
		older = append(older, sets[i])
	}
	return current, older
}

// podsOf returns the pods of a ReplicaSet that have not ended, sorted by name. Those that
// have ended (evicted, for example) are replaced and do not count.
func podsOf(set *appsv1.ReplicaSet, all []corev1.Pod) []corev1.Pod {
	if set == nil {
		return nil
	}
	var own []corev1.Pod
	for _, p := range all {
		ended := p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
		if metav1.IsControlledBy(&p, set) && !ended {
			own = append(own, p)
		}
	}
	slices.SortFunc(own, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return own
}

// describe fills a Side from the objects.
func describe(s *track.Side, bg *v1alpha1.BlueGreen, o objects) {
	s.ServiceExists = o.service != nil
	s.Autoscaler = autoscalerOf(s.Deployment, o.hpas)
	if o.service != nil {
		s.Selector = o.service.Spec.Selector
	}
	s.ServiceColored = o.service != nil && o.service.Spec.Selector[track.ColorLabel(bg)] == string(s.Color)
	d := o.deployment
	if d == nil {
		s.Progress = fmt.Sprintf("Deployment %s does not exist", s.Deployment)
		return
	}
	s.DeploymentExists, s.DeploymentUID = true, d.UID
	s.Generation, s.SwitchedBy = d.Generation, d.Annotations[v1alpha1.SwitchAnnotation]
	s.DeploymentColored = d.Spec.Selector.MatchLabels[track.ColorLabel(bg)] == string(s.Color)
	s.Replicas = replicasOf(d)
	describeTemplate(s, bg, d.Spec.Template)
	s.MatchLabels, s.Labels = d.Spec.Selector.MatchLabels, d.Spec.Template.Labels
	s.Unselected = unselected(o)
	s.Ports = portsOf(o.service, d.Spec.Template.Spec)
	for _, p := range o.pods {
		s.Pods = append(s.Pods, podState(p))
	}
	s.RunningImage = runningImage(o.pods, s.Container)
	if o.current != nil {
		s.TemplateHash = hashOf(o.current)
		s.Updated, s.Available = o.current.Status.Replicas, available(o)
	}
	s.RolledOut = rolledOut(o)
	s.Progress = progress(s, o)
}

// unselected returns the ready pods that the Service's selector, if any, does not match.
func unselected(o objects) []string {
	if o.service == nil || len(o.service.Spec.Selector) == 0 {
		return nil // somebody else manages its endpoints
	}
	var out []string
	for _, p := range o.pods {
		if s := podState(p); s.Ready && !s.Terminating && !track.Selects(o.service.Spec.Selector, p.Labels) {
			out = append(out, p.Name)
		}
	}
	return out
}

func replicasOf(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1 // the API's default
	}
	return *d.Spec.Replicas
}

func describeTemplate(s *track.Side, bg *v1alpha1.BlueGreen, t corev1.PodTemplateSpec) {
	s.Commit = t.Annotations[v1alpha1.CommitAnnotation]
	s.Release = t.Annotations[v1alpha1.ReleaseAnnotation]
	for _, c := range t.Spec.Containers {
		s.Containers = append(s.Containers, c.Name)
	}
	name, err := ChooseContainer(bg, s.Containers)
	if err != nil {
		return // before it stages, the caller reports it to people, from Containers
	}
	s.Container = name
	for _, c := range t.Spec.Containers {
		if c.Name == name {
			s.Image, s.Probe = c.Image, probeOf(c, t.Spec)
		}
	}
}

// rolledOut is stricter than `kubectl rollout status`, which counts a size of 0 as a
// success (polymorphichelpers/rollout_status.go).
func rolledOut(o objects) bool {
	d, set := o.deployment, o.current
	want := replicasOf(d)
	if set == nil || want == 0 || d.Status.ObservedGeneration < d.Generation || set.Spec.Replicas == nil || *set.Spec.Replicas != want {
		return false
	}
	for _, old := range o.older {
		if old.Status.Replicas > 0 || (old.Spec.Replicas != nil && *old.Spec.Replicas > 0) {
			return false
		}
	}
	active := int32(0) // the pods themselves: their controller counts them later
	for _, p := range o.pods {
		if p.DeletionTimestamp.IsZero() {
			active++
		}
	}
	return active == want && available(o) == want
}

// available counts the available pods of the current ReplicaSet. Without minReadySeconds a
// ready pod is available at once (IsPodAvailable of k8s.io/kubernetes pkg/api/v1/pod). So
// there is no need to wait until two controllers have counted it, and users get the new
// version sooner.
func available(o objects) int32 {
	if o.deployment.Spec.MinReadySeconds > 0 {
		return o.current.Status.AvailableReplicas
	}
	ready := int32(0)
	for _, p := range o.pods {
		if s := podState(p); s.Ready && !s.Terminating {
			ready++
		}
	}
	return ready
}

func progress(s *track.Side, o objects) string {
	switch {
	case o.deployment.Status.ObservedGeneration < o.deployment.Generation || o.current == nil:
		return "waiting for Kubernetes to act on the change"
	case s.Replicas == 0:
		return "scaled to 0"
	}
	text := fmt.Sprintf("%d of %d pods available", s.Available, s.Replicas)
	old := int32(0)
	for _, set := range o.older {
		old += set.Status.Replicas
	}
	if old > 0 {
		text += fmt.Sprintf(", %d of an older version left", old)
	}
	return text
}

func podState(p corev1.Pod) track.Pod {
	s := track.Pod{
		Namespace: p.Namespace, Name: p.Name, UID: p.UID, IP: p.Status.PodIP,
		Created: p.CreationTimestamp.Time, Terminating: p.DeletionTimestamp != nil,
	}
	for _, g := range p.Spec.ReadinessGates {
		s.Gates = append(s.Gates, track.Gate{Type: string(g.ConditionType)})
	}
	for _, c := range p.Status.Conditions {
		is := c.Status == corev1.ConditionTrue
		switch c.Type {
		case corev1.PodReady:
			s.Ready, s.ReadySince = is, c.LastTransitionTime.Time
		case corev1.ContainersReady:
			s.ContainersReady = is
		case corev1.PodScheduled:
			if !is && c.Reason == corev1.PodReasonUnschedulable {
				s.NoRoom = c.Message
			}
		default:
			for i := range s.Gates {
				if s.Gates[i].Type == string(c.Type) {
					s.Gates[i].True, s.Gates[i].Reason, s.Gates[i].Message = is, c.Reason, c.Message
				}
			}
		}
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		s.Restarts += c.RestartCount
	}
	return s
}

// runningImage returns the digest reference that the pods' container runs, if all pods
// report the same one. Runtimes write imageID as repository@sha256:…, older ones with
// docker-pullable:// before it. A bare sha256:… is the node's own id: nobody can pull it.
func runningImage(pods []corev1.Pod, container string) string {
	image := ""
	for _, p := range pods {
		for _, c := range p.Status.ContainerStatuses {
			id := strings.TrimPrefix(c.ImageID, "docker-pullable://")
			if c.Name != container || !strings.Contains(id, "@sha256:") {
				continue
			}
			if image != "" && image != id {
				return ""
			}
			image = id
		}
	}
	return image
}
