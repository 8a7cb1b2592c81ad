package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

var cronJobKind = batchv1.SchemeGroupVersion.WithKind("CronJob")

// ObserveCronJobs returns the application's CronJobs as they are now. It reads them past the
// cache: nothing waits for a CronJob, so nothing watches them. One that is missing, or that Turnout
// may not read, is data, since neither must delay a rollback; an error means that the API server
// did not answer.
func (w Workers) ObserveCronJobs(ctx context.Context, bg *v1alpha1.BlueGreen) ([]track.CronJob, error) {
	var all []track.CronJob
	for _, spec := range bg.Spec.CronJobs {
		read, err := w.Workloads.fresh(ctx, cronJobKind, bg.Namespace, spec.Name)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			all = append(all, track.CronJob{Name: spec.Name, Repository: string(spec.Image)})
		case err != nil:
			return nil, fmt.Errorf("observe CronJob %s of %s/%s: %w", spec.Name, bg.Namespace, bg.Name, err)
		default:
			all = append(all, track.CronJob{
				Name: spec.Name, Repository: string(spec.Image), Image: cronImage(bg, spec, read), Exists: true,
				UID: read.GetUID(), ResourceVersion: read.GetResourceVersion(),
				MovedBy: read.GetAnnotations()[v1alpha1.WorkersAnnotation],
			})
		}
	}
	return all, nil
}

// cronImage is the image that a CronJob has; "" if it is not known in which container.
func cronImage(bg *v1alpha1.BlueGreen, spec v1alpha1.CronJobSpec, read *unstructured.Unstructured) string {
	template := part(read.Object, "spec", "jobTemplate", "spec", "template")
	container := workerContainer(bg, spec.Container, containerNames(template))
	for _, c := range parts(template, "spec", "containers") {
		if image, ok := c["image"].(string); ok && c["name"] == container {
			return image
		}
	}
	return ""
}

// SetCronJob is [Workers.SetImage] of a CronJob. It changes the Jobs that the CronJob starts from
// then on.
func (w Workers) SetCronJob(ctx context.Context, bg *v1alpha1.BlueGreen, j track.CronJob, q StartRequest) error {
	i := slices.IndexFunc(bg.Spec.CronJobs, func(spec v1alpha1.CronJobSpec) bool { return spec.Name == j.Name })
	if i < 0 || j.MovedBy == q.By {
		return nil
	}
	read, err := w.Workloads.fresh(ctx, cronJobKind, bg.Namespace, j.Name)
	if err != nil {
		return err
	}
	undone := track.WorkerSide{MovedBy: j.MovedBy}.Undone(q.By)
	if read.GetUID() != j.UID || read.GetResourceVersion() != j.ResourceVersion || undone {
		return apierrors.NewConflict(schema.GroupResource{Group: cronJobKind.Group, Resource: "cronjobs"}, j.Name, errChanged)
	}
	template := (&unstructured.Unstructured{Object: part(read.Object, "spec", "jobTemplate", "spec", "template")}).DeepCopy().Object
	container := workerContainer(bg, bg.Spec.CronJobs[i].Container, containerNames(template))
	if container == "" {
		return fmt.Errorf("BlueGreen %s/%s: spec.cronJobs[%s].container must name the container that gets the image: the pod template has %s",
			bg.Namespace, bg.Name, j.Name, strings.Join(containerNames(template), ", "))
	}
	setVersion(template, container, StageRequest{Image: q.Image, Commit: q.Commit, Release: q.Release})
	operations := append(movedBy(read, q.By), operation{Op: "replace", Path: "/spec/jobTemplate/spec/template", Value: template})
	if err := w.Workloads.patch(ctx, read, operations); err != nil {
		return fmt.Errorf("give CronJob %s/%s the image %s: %w", bg.Namespace, j.Name, q.Image, err)
	}
	return nil
}
