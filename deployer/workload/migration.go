package workload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

var jobKind = schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}

// Migrations reads and writes the Jobs of migrations. A Job is created suspended, and runs once it
// is resumed; Kubernetes never runs it a second time by itself.
type Migrations struct {
	// Client writes. Nothing is read through it: a cache may lag behind.
	Client client.Client

	// Reader reads past the cache.
	Reader client.Reader

	// Clientset reads the logs of containers, which the other clients cannot.
	Clientset kubernetes.Interface
}

// MigrationRequest is a command to run once with a version.
type MigrationRequest struct {
	// StageRequest has the colour whose pod template it runs with, the image, the commit and the
	// release. Replicas has no meaning.
	StageRequest

	// UID of the release, which with Kind names the Job.
	UID types.UID

	// Kind is the value of [v1alpha1.MigrationLabel]: expand or contract.
	Kind string

	// Command with its arguments.
	Command []string
}

// MigrationName is the name of a release's Job: at most 63 characters, and the same whenever it is
// asked for.
func MigrationName(application, kind string, release types.UID) string {
	sum := sha256.Sum256([]byte(string(release) + " " + kind))
	return application + "-" + kind + "-" + hex.EncodeToString(sum[:5])
}

// MigrationPlan is a Job that does not exist yet.
type MigrationPlan struct {
	// Hash identifies its pod template.
	Hash string

	job *unstructured.Unstructured
}

// Create creates the Job of a plan, suspended. That it exists already is no error.
func (m *Migrations) Create(ctx context.Context, p MigrationPlan) error {
	err := m.Client.Create(ctx, p.job.DeepCopy(), client.FieldOwner(v1alpha1.DeployerManager))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Job %s/%s: %w", p.job.GetNamespace(), p.job.GetName(), err)
	}
	return nil
}

// Observe reads a Job and its pods past the cache. uid is the recorded one, whose pods may outlive
// the Job; "" if none is recorded. container is the one that runs the command.
func (m *Migrations) Observe(ctx context.Context, namespace, name string, uid types.UID) (track.Migration, error) {
	var o track.Migration
	job := &batchv1.Job{}
	err := m.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, job)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return o, fmt.Errorf("read Job %s/%s: %w", namespace, name, err)
	default:
		o = jobState(job)
	}
	if uid == "" {
		uid = o.UID
	}
	pods, err := m.pods(ctx, namespace)
	for i := range pods {
		if owner := metav1.GetControllerOf(&pods[i]); owner != nil && owner.UID == uid {
			o.Pods = append(o.Pods, migrationPod(&pods[i]))
		}
	}
	if o.Exists && !o.Suspended && len(o.Pods) == 0 && !o.Complete && !o.Failed {
		o.Refused = m.refused(ctx, namespace, o.UID)
	}
	return o, err
}

// Others are the pods of an application's other migrations that have not ended, by name.
func (m *Migrations) Others(ctx context.Context, bg *v1alpha1.BlueGreen, job types.UID) ([]string, error) {
	pods, err := m.pods(ctx, bg.Namespace)
	var names []string
	for i := range pods {
		p := &pods[i]
		if owner := metav1.GetControllerOf(p); owner != nil && owner.UID == job {
			continue
		}
		if p.Labels[v1alpha1.ApplicationLabel] == bg.Name && !podEnded(p) {
			names = append(names, p.Name)
		}
	}
	return names, err
}

// pods are those of every migration in a namespace.
func (m *Migrations) pods(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := m.Reader.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{v1alpha1.MigrationLabel}); err != nil {
		return nil, fmt.Errorf("list the pods of migrations in namespace %s: %w", namespace, err)
	}
	return list.Items, nil
}

// Resume lets a Job go that was never resumed, exactly as it was observed. An error for which
// apierrors.IsConflict holds means that it has changed: look again.
func (m *Migrations) Resume(ctx context.Context, namespace, name string, o track.Migration, now time.Time) error {
	return m.patch(ctx, namespace, name, o, []operation{
		{Op: "test", Path: "/metadata/resourceVersion", Value: o.ResourceVersion},
		{Op: "test", Path: "/spec/suspend", Value: true},
		{Op: "add", Path: "/metadata/annotations/" + escaped(v1alpha1.ResumedAnnotation), Value: now.UTC().Format(time.RFC3339)},
		{Op: "replace", Path: "/spec/suspend", Value: false},
	})
}

// Stop suspends a Job, exactly as it was observed, which makes Kubernetes end its pods. An error for
// which apierrors.IsConflict holds means that it has changed: look again.
func (m *Migrations) Stop(ctx context.Context, namespace, name string, o track.Migration) error {
	return m.patch(ctx, namespace, name, o, []operation{
		{Op: "test", Path: "/metadata/resourceVersion", Value: o.ResourceVersion}, {Op: "add", Path: "/spec/suspend", Value: true},
	})
}

// Delete deletes a Job with its pods, exactly as it was observed. An error for which
// apierrors.IsConflict holds means that it has changed: look again.
func (m *Migrations) Delete(ctx context.Context, namespace, name string, o track.Migration) error {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	err := m.Client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: &o.UID, ResourceVersion: &o.ResourceVersion})
	if err = client.IgnoreNotFound(err); err != nil {
		return fmt.Errorf("delete Job %s/%s: %w", namespace, name, err)
	}
	return nil
}

// patch applies operations to the Job that was observed, or not at all.
func (m *Migrations) patch(ctx context.Context, namespace, name string, o track.Migration, operations []operation) error {
	body, err := json.Marshal(append([]operation{{Op: "test", Path: "/metadata/uid", Value: o.UID}}, operations...))
	if err != nil {
		return fmt.Errorf("encode a patch: %w", err)
	}
	job := &unstructured.Unstructured{}
	job.SetGroupVersionKind(jobKind)
	job.SetNamespace(namespace)
	job.SetName(name)
	err = m.Client.Patch(ctx, job, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.DeployerManager))
	if err == nil {
		return nil
	}
	lost := apierrors.IsNotFound(err)
	if apierrors.IsInvalid(err) { // a test of the patch failed, or an admission policy refused it
		now := &batchv1.Job{}
		unread := m.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, now)
		lost = apierrors.IsNotFound(unread) || unread == nil && (now.UID != o.UID || now.ResourceVersion != o.ResourceVersion)
	}
	if lost {
		return apierrors.NewConflict(schema.GroupResource{Group: "batch", Resource: "jobs"}, name, err)
	}
	return fmt.Errorf("patch Job %s/%s: %w", namespace, name, err)
}

// Log returns the last lines of a migration's command, masked; "" if they are not available.
func (m *Migrations) Log(ctx context.Context, namespace string, p track.MigrationPod) string {
	ctx, cancel := context.WithTimeout(ctx, evidenceWait)
	defer cancel()
	text, _ := readLog(ctx, m.Clientset.CoreV1().Pods(namespace), track.Failure{Pod: p.Name, Container: p.Container}, false)
	return prose.LastLines(text, logLines, logKept)
}

// jobState is what a Job reports.
func jobState(job *batchv1.Job) track.Migration {
	o := track.Migration{
		Exists: true, UID: job.UID, ResourceVersion: job.ResourceVersion, Hash: job.Annotations[v1alpha1.TemplateAnnotation],
		Suspended: job.Spec.Suspend != nil && *job.Spec.Suspend, Resumed: job.Annotations[v1alpha1.ResumedAnnotation] != "",
	}
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			o.Complete = true
		case batchv1.JobFailed:
			o.Failed, o.Reason = true, prose.Line(c.Reason, 500)
		case batchv1.JobSuspended, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet:
		}
	}
	return o
}

// RefusedMigrationError says why a migration's pod must not run as it would.
type RefusedMigrationError struct{ Text string }

func (e *RefusedMigrationError) Error() string { return e.Text }

var errNoCommand = errors.New("a migration needs a command")
