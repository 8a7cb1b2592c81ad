package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/index"
)

// Workers reads and writes the Deployments of an application's workers. Each write is for a
// side as observed: an error for which apierrors.IsConflict holds means that the Deployment was
// written since, and nothing was done; look again.
type Workers struct {
	// Workloads has the clients.
	Workloads *Workloads
}

// StartRequest is a version of a worker to run.
type StartRequest struct {
	// Target side.
	Target v1alpha1.Color

	// Image by digest: repository@sha256:….
	Image string

	// Commit the image was built from; "" if unknown.
	Commit string

	// Release that the pods name.
	Release string

	// By is who starts it, see [track.WorkersBy].
	By string

	// Replicas to run; 0 is allowed.
	Replicas int32
}

// Observe returns the application's workers as they are now. A missing object is data; an
// error means that the API server did not answer.
func (w Workers) Observe(ctx context.Context, bg *v1alpha1.BlueGreen) ([]track.Worker, error) {
	var all []track.Worker
	for _, spec := range bg.Spec.Workers {
		worker := track.Worker{
			Name: spec.Name, Repository: string(spec.Image), Queued: spec.Queue != nil, Sides: map[v1alpha1.Color]track.WorkerSide{},
		}
		for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
			side, err := w.observe(ctx, bg, spec, c)
			if err != nil {
				return nil, fmt.Errorf("observe worker %s of %s/%s: %w", spec.Name, bg.Namespace, bg.Name, err)
			}
			worker.Sides[c] = side
		}
		all = append(all, worker)
	}
	return all, nil
}

func (w Workers) observe(ctx context.Context, bg *v1alpha1.BlueGreen, spec v1alpha1.WorkerSpec, c v1alpha1.Color) (track.WorkerSide,
	error,
) {
	s, _, err := w.deployment(ctx, bg, bg.WorkerDeployment(spec, c), spec.Container)
	s.Color = c
	return s, err
}

// deployment reads a Deployment that has no Service.
func (w Workers) deployment(ctx context.Context, bg *v1alpha1.BlueGreen, name, container string) (track.WorkerSide, *appsv1.Deployment,
	error,
) {
	s := track.WorkerSide{Side: track.Side{Deployment: name}}
	var o objects
	d := &appsv1.Deployment{}
	found, err := get(ctx, w.Workloads.Client, client.ObjectKey{Namespace: bg.Namespace, Name: s.Deployment}, d)
	if err != nil {
		return s, d, fmt.Errorf("read Deployment %s: %w", s.Deployment, err)
	}
	if found {
		o.deployment = d
		var hpas autoscalingv2.HorizontalPodAutoscalerList
		if err := index.List(ctx, w.Workloads.Client, &hpas, bg.Namespace, index.Scales, s.Deployment); err != nil {
			return s, d, fmt.Errorf("list the HorizontalPodAutoscalers of Deployment %s: %w", s.Deployment, err)
		}
		o.hpas = hpas.Items
		if err := o.readOwned(ctx, w.Workloads.Client); err != nil {
			return s, d, err
		}
		if err := w.readLeft(ctx, d, &s); err != nil {
			return s, d, err
		}
		s.MovedBy = d.Annotations[v1alpha1.WorkersAnnotation]
		s.Stopped = stoppedSize(d.Annotations)
	}
	app := *bg
	app.Spec.Container = ""
	if found {
		app.Spec.Container = workerContainer(bg, container, namesOf(d.Spec.Template.Spec.Containers))
	}
	describe(&s.Side, &app, o)
	s.Failure, s.LookAgainAt = diagnose(o, time.Now())
	return s, d, nil
}

func namesOf(containers []corev1.Container) (names []string) {
	for _, c := range containers {
		names = append(names, c.Name)
	}
	return names
}

// workerContainer returns the container that gets the image: the one that the worker names, the
// only one, or the application's; "" if there is none of these.
func workerContainer(bg *v1alpha1.BlueGreen, named string, names []string) string {
	if named == "" && len(names) == 1 {
		return names[0]
	}
	for _, name := range []string{named, bg.Spec.Container} {
		if name != "" {
			if slices.Contains(names, name) {
				return name
			}
			return ""
		}
	}
	return ""
}

// stoppedSize is the size that a stopped side had. What is no size counts as none.
func stoppedSize(annotations map[string]string) int32 {
	n, err := strconv.ParseInt(annotations[v1alpha1.SizeAnnotation], 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

// readLeft counts the pods of all ReplicaSets of a Deployment. A pod's deletionTimestamp is when
// its grace period is over.
func (w Workers) readLeft(ctx context.Context, d *appsv1.Deployment, s *track.WorkerSide) error {
	var sets appsv1.ReplicaSetList
	if err := index.List(ctx, w.Workloads.Client, &sets, d.Namespace, index.Controller, string(d.UID)); err != nil {
		return fmt.Errorf("list the ReplicaSets of Deployment %s: %w", d.Name, err)
	}
	told := true
	for i := range sets.Items {
		set := &sets.Items[i]
		if !metav1.IsControlledBy(set, d) {
			continue
		}
		var pods corev1.PodList
		if err := index.List(ctx, w.Workloads.Client, &pods, d.Namespace, index.Controller, string(set.UID)); err != nil {
			return fmt.Errorf("list the pods of ReplicaSet %s: %w", set.Name, err)
		}
		for _, p := range podsOf(set, pods.Items) {
			s.Left++
			switch at := p.DeletionTimestamp; {
			case at == nil:
				told = false
			case at.After(s.LeftUntil):
				s.LeftUntil = at.Time
			}
		}
	}
	if !told {
		s.LeftUntil = time.Time{}
	}
	return nil
}

// CreateMissing creates a side's Deployments that do not exist, from the other side's, at size 0,
// and returns what it created, as Kind/name. A worker without any Deployment is left out:
// preflight reports it.
func (w Workers) CreateMissing(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) (created []string, err error) {
	r := recolor{label: track.ColorLabel(bg), from: target.Other(), to: target}
	for _, spec := range bg.Spec.Workers {
		name, from := bg.WorkerDeployment(spec, target), bg.WorkerDeployment(spec, r.from)
		_, err := w.Workloads.cached(ctx, deploymentKind, bg.Namespace, name)
		if err == nil {
			continue
		}
		if !apierrors.IsNotFound(err) {
			return created, err
		}
		live, err := w.Workloads.fresh(ctx, deploymentKind, bg.Namespace, from)
		if err != nil {
			return created, fmt.Errorf("worker %s: Deployment %s/%s is missing and is created from the other side's: %w", spec.Name,
				bg.Namespace, name, err)
		}
		o, err := newDeployment(live.Object, r)
		if err != nil {
			return created, fmt.Errorf("worker %s: Deployment %s/%s cannot be created from %s: %w", spec.Name, bg.Namespace, name, from, err)
		}
		u := &unstructured.Unstructured{Object: o}
		u.SetGroupVersionKind(deploymentKind)
		u.SetNamespace(bg.Namespace)
		u.SetName(name)
		err = w.Workloads.Client.Create(ctx, u, client.FieldOwner(v1alpha1.DeployerManager))
		if apierrors.IsAlreadyExists(err) {
			continue // the next look sees it
		}
		if err != nil {
			return created, fmt.Errorf("create Deployment %s/%s from %s: %w", bg.Namespace, name, from, err)
		}
		created = append(created, deploymentKind.Kind+"/"+name)
	}
	return created, nil
}

// Start makes a side of a worker run a version, with template and size in one patch, and reports
// whether anything had to change. Once started by q.By, the side is left alone, whoever scales
// it.
func (w Workers) Start(ctx context.Context, bg *v1alpha1.BlueGreen, worker track.Worker, q StartRequest) (changed bool, err error) {
	spec, known := specOf(bg, worker.Name)
	to := worker.Sides[q.Target]
	if !known || to.MovedBy == q.By && to.Image == q.Image {
		return false, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start worker %s by Deployment %s/%s: %w", worker.Name, bg.Namespace, to.Deployment, err)
		}
	}()
	// Templates never pass through Go types, so they are not read from the cache.
	target, err := w.Workloads.fresh(ctx, deploymentKind, bg.Namespace, to.Deployment)
	if err == nil {
		err = unchanged(target, to, q.By)
	}
	if err != nil {
		return false, err
	}
	template := (&unstructured.Unstructured{Object: part(target.Object, "spec", "template")}).DeepCopy().Object
	if from := worker.Sides[q.Target.Other()]; bg.Spec.Template != v1alpha1.TemplateOwn && from.DeploymentExists {
		live, err := w.Workloads.fresh(ctx, deploymentKind, bg.Namespace, from.Deployment)
		if err != nil {
			return false, err
		}
		template = liveTemplate(live.Object, target.Object, nil, recolor{label: track.ColorLabel(bg), from: q.Target.Other(), to: q.Target})
	}
	container := workerContainer(bg, spec.Container, containerNames(template))
	if container == "" {
		return false, fmt.Errorf("BlueGreen %s/%s: spec.workers[%s].container must name the container that gets the image: the pod "+
			"template has %s", bg.Namespace, bg.Name, spec.Name, strings.Join(containerNames(template), ", "))
	}
	setVersion(template, container, StageRequest{Image: q.Image, Commit: q.Commit, Release: q.Release})
	operations := append(movedBy(target, q.By), withoutSize(target)...)
	return true, w.Workloads.patch(ctx, target, append(operations,
		operation{Op: "replace", Path: "/spec/template", Value: template},
		operation{Op: "add", Path: "/spec/replicas", Value: q.Replicas},
	))
}

// Recall brings a side of a worker back to a size, with the version that it has. It never makes
// it smaller. It writes the Deployment even if the size is right, so that a write that would stop
// it, and is late, fails.
func (w Workers) Recall(ctx context.Context, bg *v1alpha1.BlueGreen, s track.WorkerSide, size int32, by string) error {
	if s.MovedBy == by {
		return nil
	}
	read, err := w.observed(ctx, bg, s, by)
	if err != nil {
		return err
	}
	operations := append(movedBy(read, by), withoutSize(read)...)
	if size > s.Replicas {
		operations = append(operations, operation{Op: "add", Path: "/spec/replicas", Value: size})
	}
	if err := w.Workloads.patch(ctx, read, operations); err != nil {
		return fmt.Errorf("scale Deployment %s/%s to %d: %w", bg.Namespace, s.Deployment, size, err)
	}
	return nil
}

// Stop scales a side of a worker to 0, and keeps its size in an annotation, in one patch. Its
// pods get their own grace period. Like [Workers.Recall], it writes the Deployment once, whatever
// its size.
func (w Workers) Stop(ctx context.Context, bg *v1alpha1.BlueGreen, s track.WorkerSide, by string) error {
	if s.MovedBy == by || !s.DeploymentExists {
		return nil
	}
	read, err := w.observed(ctx, bg, s, by)
	if err != nil {
		return err
	}
	operations := movedBy(read, by)
	if s.Replicas > 0 {
		operations = append(operations,
			operation{Op: "add", Path: sizePath, Value: strconv.Itoa(int(s.Replicas))},
			operation{Op: "add", Path: "/spec/replicas", Value: int32(0)})
	}
	if err := w.Workloads.patch(ctx, read, operations); err != nil {
		return fmt.Errorf("scale Deployment %s/%s to 0: %w", bg.Namespace, s.Deployment, err)
	}
	return nil
}

// Evidence is [Workloads.Evidence] of the first side that does not work.
func (w Workers) Evidence(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color, workers []track.Worker) []v1alpha1.Evidence {
	for _, worker := range workers {
		if s := worker.Sides[c]; !s.Works() {
			return w.Workloads.Evidence(ctx, bg, s.Side)
		}
	}
	return nil
}

// JSON pointers of the annotations.
const (
	workersPath = "/metadata/annotations/turnout.dev~1workers"
	sizePath    = "/metadata/annotations/turnout.dev~1size"
)

// observed reads a Deployment as the cache has it, see unchanged.
func (w Workers) observed(ctx context.Context, bg *v1alpha1.BlueGreen, s track.WorkerSide, by string) (*unstructured.Unstructured, error) {
	d, err := w.Workloads.cached(ctx, deploymentKind, bg.Namespace, s.Deployment)
	if err != nil {
		return nil, err
	}
	return d, unchanged(d, s, by)
}

// unchanged checks that a Deployment is as observed; the patch tests the same past the cache. It
// refuses a write of a release that is being undone.
func unchanged(d *unstructured.Unstructured, s track.WorkerSide, by string) error {
	if d.GetUID() == s.DeploymentUID && d.GetGeneration() == s.Generation && !s.Undone(by) {
		return nil
	}
	return apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, s.Deployment, errChanged)
}

var errChanged = errors.New("it has changed since it was observed")

// movedBy returns the operations that write [v1alpha1.WorkersAnnotation].
func movedBy(read *unstructured.Unstructured, by string) []operation {
	var operations []operation
	if len(read.GetAnnotations()) == 0 {
		operations = append(operations, operation{Op: "add", Path: "/metadata/annotations", Value: object{}})
	}
	return append(operations, operation{Op: "add", Path: workersPath, Value: by})
}

// withoutSize returns the operations that remove [v1alpha1.SizeAnnotation].
func withoutSize(read *unstructured.Unstructured) []operation {
	if _, has := read.GetAnnotations()[v1alpha1.SizeAnnotation]; !has {
		return nil
	}
	return []operation{{Op: "remove", Path: sizePath}}
}

// specOf returns a worker's spec; known is false if the spec has it no longer.
func specOf(bg *v1alpha1.BlueGreen, name string) (spec v1alpha1.WorkerSpec, known bool) {
	i := slices.IndexFunc(bg.Spec.Workers, func(w v1alpha1.WorkerSpec) bool { return w.Name == name })
	if i < 0 {
		return v1alpha1.WorkerSpec{}, false
	}
	return bg.Spec.Workers[i], true
}
