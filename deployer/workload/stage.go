package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

var (
	deploymentKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	serviceKind    = schema.GroupVersionKind{Version: "v1", Kind: "Service"}
	autoscalerKind = schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}
)

// StageRequest is a version to put on a colour.
type StageRequest struct {
	// Target colour. The other one is live.
	Target v1alpha1.Color

	// Image by digest: repository@sha256:….
	Image string

	// Commit the image was built from; "" if unknown.
	Commit string

	// Release that stages it, by name.
	Release string

	// Replicas to run, at least 1.
	Replicas int32

	// Keep the pod template as it is: only the size is raised. A release that has staged its
	// template once never writes one again, since another one is somebody else's.
	Keep bool
}

// Stage makes the target's Deployment run a version, with template and size in one patch,
// and reports whether anything had to change. It never shrinks a colour that already runs
// the version: an autoscaler may have grown it.
//
// It changes nothing but spec.template, spec.replicas and [v1alpha1.SwitchAnnotation], which is written
// here since every write of a Deployment costs Kubernetes' controller a few of its own. An error for
// which apierrors.IsConflict holds means that someone else changed the Deployment between look
// and patch: nothing was written; look again.
func (w *Workloads) Stage(ctx context.Context, bg *v1alpha1.BlueGreen, q StageRequest) (changed bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("stage %s on Deployment %s/%s: %w", q.Release, bg.Namespace, bg.Side(q.Target).Deployment, err)
		}
	}()
	if q.Replicas < 1 || q.Image == "" {
		return false, fmt.Errorf("an image and at least 1 replica are required, got %q and %d", q.Image, q.Replicas)
	}
	// What is there already needs no look past the cache: nothing is written, and what changes it wakes
	// the application again. While pods start, that is most looks.
	if staged, err := staged(ctx, bg, q, w.cached); err == nil && staged {
		return false, nil
	}
	pair, err := readPair(ctx, bg, q.Target, w.fresh)
	if err != nil {
		return false, err
	}
	template, err := pair.template(bg, q)
	if err != nil {
		return false, err
	}
	if pair.has(template, q.Replicas) {
		return false, nil
	}
	patch := []operation{{Op: "add", Path: "/spec/replicas", Value: q.Replicas}}
	if !q.Keep {
		patch = append([]operation{{Op: "replace", Path: "/spec/template", Value: template}}, patch...)
	}
	return true, w.patch(ctx, pair.target, append(patch, stamped(pair.target, q.Release)...))
}

// staged reports whether the target runs the version.
func staged(ctx context.Context, bg *v1alpha1.BlueGreen, q StageRequest, read reading) (bool, error) {
	pair, err := readPair(ctx, bg, q.Target, read)
	if err != nil {
		return false, err
	}
	template, err := pair.template(bg, q)
	return err == nil && pair.has(template, q.Replicas), err
}

// has reports whether the target has a pod template, and this size or a larger one.
func (p pair) has(template object, replicas int32) bool {
	current, _, _ := unstructured.NestedInt64(p.target.Object, "spec", "replicas")
	return current >= int64(replicas) && reflect.DeepEqual(template, part(p.target.Object, "spec", "template"))
}

// pair holds both colours' objects as they were read.
type pair struct {
	live, target               *unstructured.Unstructured
	liveService, targetService object
}

// reading reads one object.
type reading func(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error)

// readPair reads both colours. A missing Deployment is an error, a missing Service is not.
func readPair(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color, read reading) (pair, error) {
	var p pair
	var err error
	live, other := bg.Side(target.Other()), bg.Side(target)
	if p.target, err = read(ctx, deploymentKind, bg.Namespace, other.Deployment); err != nil {
		return p, err
	}
	if p.live, err = read(ctx, deploymentKind, bg.Namespace, live.Deployment); err != nil {
		return p, err
	}
	for name, into := range map[string]*object{live.Service: &p.liveService, other.Service: &p.targetService} {
		s, err := read(ctx, serviceKind, bg.Namespace, name)
		if err != nil && !apierrors.IsNotFound(err) {
			return p, err
		}
		*into = s.Object
	}
	return p, nil
}

// template returns the target's new pod template.
func (p pair) template(bg *v1alpha1.BlueGreen, q StageRequest) (object, error) {
	if q.Keep {
		return part(p.target.Object, "spec", "template"), nil
	}
	r := recolor{label: track.ColorLabel(bg), from: q.Target.Other(), to: q.Target}
	template := (&unstructured.Unstructured{Object: part(p.target.Object, "spec", "template")}).DeepCopy().Object
	if bg.Spec.Template != v1alpha1.TemplateOwn {
		template = liveTemplate(p.live.Object, p.target.Object, p.targetService, r)
	}
	container, err := ChooseContainer(bg, containerNames(template))
	if err != nil {
		return nil, err
	}
	setVersion(template, container, q)
	if own := part(p.targetService, "spec", "selector"); len(own) > 0 && !selects(p.targetService, template) {
		return nil, fmt.Errorf("the Service %s/%s would match none of these pods: it selects %s, and the template of Deployment %s has %s: "+
			"correct one of the two, or set spec.template to Live",
			bg.Namespace, bg.Side(q.Target).Service, pairs(own), bg.Side(q.Target).Deployment, pairs(part(template, "metadata", "labels")))
	}
	if selects(p.liveService, template) {
		return nil, fmt.Errorf("the live Service %s/%s would send users to these pods before they are checked: its spec.selector needs %s: %s, "+
			"and its pods need that label first; the condition Ready of the BlueGreen has the commands",
			bg.Namespace, bg.Side(q.Target.Other()).Service, r.label, r.from)
	}
	return template, nil
}

// pairs writes labels like a selector: app=shop,version=blue.
func pairs(m object) string { return labelsOf(object{"metadata": object{"labels": m}}).String() }

// Scale sets a colour's size, unless it has that size.
//
// An error for which apierrors.IsConflict holds means that someone else changed the
// Deployment between look and patch: nothing was written; look again.
func (w *Workloads) Scale(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color, replicas int32) error {
	d, err := w.fresh(ctx, deploymentKind, bg.Namespace, bg.Side(c).Deployment)
	if err != nil {
		return err
	}
	return w.resize(ctx, d, replicas, func(current int32) bool { return current != replicas })
}

// Sized is a colour's Deployment as it was read for a shrink. The patch is valid for this
// read only: any later write of the Deployment invalidates it.
type Sized struct {
	// SwitchedBy names the release that last brought users here, or is about to; "" if
	// none did.
	SwitchedBy string

	read *unstructured.Unstructured // nil: there is no Deployment
}

// ReadSize reads what a [Workloads.Shrink] is based on. Check the conditions for the
// shrink afterwards: whatever ends them writes the Deployment.
func (w *Workloads) ReadSize(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) (Sized, error) {
	d, err := w.fresh(ctx, deploymentKind, bg.Namespace, bg.Side(c).Deployment)
	if apierrors.IsNotFound(err) {
		return Sized{}, nil
	}
	if err != nil {
		return Sized{}, err
	}
	return Sized{SwitchedBy: d.GetAnnotations()[v1alpha1.SwitchAnnotation], read: d}, nil
}

// Shrink is [Workloads.Scale] that only makes a Deployment smaller, never larger; a
// missing Deployment is fine. An error for which apierrors.IsConflict holds means that the
// Deployment was written since it was read: nothing was done.
func (w *Workloads) Shrink(ctx context.Context, s Sized, replicas int32) error {
	if s.read == nil {
		return nil
	}
	return w.resize(ctx, s.read, replicas, func(current int32) bool { return current > replicas })
}

// Stamp records on a colour's Deployment that a release is about to bring users there, unless
// [Workloads.Stage] has done so for it. A shrink that began before can then no longer complete, and one
// that begins later sees the release. It is for the Deployment as observed. An error for which
// apierrors.IsConflict holds means that the Deployment has changed: look again whether users can
// be brought there.
func (w *Workloads) Stamp(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Side, release string) error {
	if !s.DeploymentExists {
		return nil
	}
	// The patch itself is the look past the cache: it tests UID and generation, which the annotations
	// change, too.
	read := w.cached
	if s.SwitchedBy == release {
		read = w.fresh
	}
	d, err := read(ctx, deploymentKind, bg.Namespace, s.Deployment)
	if err != nil {
		return err
	}
	if d.GetUID() != s.DeploymentUID || d.GetGeneration() != s.Generation {
		return apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, s.Deployment,
			errors.New("it has changed since it was observed"))
	}
	if d.GetAnnotations()[v1alpha1.SwitchAnnotation] == release {
		return nil
	}
	if err := w.patch(ctx, d, stamped(d, release)); err != nil {
		return fmt.Errorf("annotate Deployment %s/%s for the switch of %s: %w", bg.Namespace, s.Deployment, release, err)
	}
	return nil
}

// stamped returns the operations that write a release's name to [v1alpha1.SwitchAnnotation].
func stamped(read *unstructured.Unstructured, release string) []operation {
	var operations []operation
	if len(read.GetAnnotations()) == 0 {
		operations = append(operations, operation{Op: "add", Path: "/metadata/annotations", Value: object{}})
	}
	return append(operations,
		operation{Op: "add", Path: "/metadata/annotations/" + strings.ReplaceAll(v1alpha1.SwitchAnnotation, "/", "~1"), Value: release})
}

func (w *Workloads) resize(ctx context.Context, d *unstructured.Unstructured, replicas int32, must func(current int32) bool) error {
	current, found, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
	if found && !must(int32(current)) { //nolint:gosec // the API server's own int32
		return nil
	}
	if err := w.patch(ctx, d, []operation{{Op: "add", Path: "/spec/replicas", Value: replicas}}); err != nil {
		return fmt.Errorf("scale Deployment %s/%s to %d: %w", d.GetNamespace(), d.GetName(), replicas, err)
	}
	return nil
}

// StagedBy returns the name of the release that staged a colour's Deployment, as the API
// server has it now; "" if none did, or if there is no Deployment.
func (w *Workloads) StagedBy(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) (release string, err error) {
	d, err := w.fresh(ctx, deploymentKind, bg.Namespace, bg.Side(c).Deployment)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	release, _ = part(d.Object, "spec", "template", "metadata", "annotations")[v1alpha1.ReleaseAnnotation].(string)
	return release, nil
}

// fresh reads an object as the API server has it now.
func (w *Workloads) fresh(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	if err := w.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, u); err != nil {
		return &unstructured.Unstructured{}, fmt.Errorf("read %s %s/%s: %w", kind.Kind, namespace, name, err)
	}
	return u, nil
}

// known reads a Deployment or a Service as the cache has it, or as the API server has it if the cache
// does not.
func known(w *Workloads) reading {
	return func(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
		if u, err := w.cached(ctx, kind, namespace, name); err == nil {
			return u, nil
		}
		return w.fresh(ctx, kind, namespace, name)
	}
}

// cached reads a Deployment or a Service as the cache has it.
func (w *Workloads) cached(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	var typed client.Object = &appsv1.Deployment{}
	if kind == serviceKind {
		typed = &corev1.Service{}
	}
	u := &unstructured.Unstructured{}
	err := w.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, typed)
	if err == nil {
		u.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	}
	if err != nil {
		return &unstructured.Unstructured{}, fmt.Errorf("read %s %s/%s: %w", kind.Kind, namespace, name, err)
	}
	u.SetGroupVersionKind(kind)
	return u, nil
}

// operation is one step of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// patch applies operations to the object exactly as it was read, or not at all.
func (w *Workloads) patch(ctx context.Context, read *unstructured.Unstructured, operations []operation) error {
	all := append([]operation{
		{Op: "test", Path: "/metadata/uid", Value: read.GetUID()},
		sameAs(read),
	}, operations...)
	body, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode a patch: %w", err)
	}
	// A copy: Patch overwrites its argument with the answer.
	err = w.Client.Patch(ctx, read.DeepCopy(), client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.DeployerManager))
	if err == nil || !apierrors.IsInvalid(err) {
		return err
	}
	now, unread := w.fresh(ctx, read.GroupVersionKind(), read.GetNamespace(), read.GetName())
	if unread != nil {
		return errors.Join(err, unread)
	}
	return explain(read, now, err)
}

// sameAs tests that an object is still as it was read. The generation, unlike the resource
// version, does not change with the status that controllers keep writing. It changes with
// the spec and, for Deployments, also with the annotations (kubernetes
// pkg/registry/apps/deployment/strategy.go). An autoscaler's does not change with its
// annotations.
func sameAs(read *unstructured.Unstructured) operation {
	if read.GroupVersionKind() == deploymentKind {
		return operation{Op: "test", Path: "/metadata/generation", Value: read.GetGeneration()}
	}
	return operation{Op: "test", Path: "/metadata/resourceVersion", Value: read.GetResourceVersion()}
}

// explain turns a refused patch into a conflict if the object has changed since it was
// read: the API server answers 422 both to a failed test and to an invalid spec.
func explain(read, now *unstructured.Unstructured, refused error) error {
	if now.GetUID() == read.GetUID() && sameAs(now) == sameAs(read) {
		return refused
	}
	kind := read.GroupVersionKind()
	return apierrors.NewConflict(schema.GroupResource{Group: kind.Group, Resource: strings.ToLower(kind.Kind) + "s"}, read.GetName(), refused)
}
