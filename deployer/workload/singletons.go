package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// ObserveSingletons returns the application's singletons as they are now. A missing object is
// data; an error means that the API server did not answer.
func (w Workers) ObserveSingletons(ctx context.Context, bg *v1alpha1.BlueGreen) ([]track.Singleton, error) {
	var all []track.Singleton
	for _, spec := range bg.Spec.Singletons {
		side, d, err := w.deployment(ctx, bg, spec.Deployment, spec.Container)
		if err != nil {
			return nil, fmt.Errorf("observe singleton %s of %s/%s: %w", spec.Deployment, bg.Namespace, bg.Name, err)
		}
		all = append(all, track.Singleton{
			WorkerSide: side, Repository: string(spec.Image), Recreate: d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType,
		})
	}
	return all, nil
}

// SetImage gives a singleton the image of a version; q.Replicas and q.Target do not count. Like
// [Workers.Stop] it writes the Deployment once, even if it has the image, so that a late write of
// another version fails.
func (w Workers) SetImage(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Singleton, q StartRequest) error {
	i := slices.IndexFunc(bg.Spec.Singletons, func(spec v1alpha1.SingletonSpec) bool { return spec.Deployment == s.Deployment })
	if i < 0 || s.MovedBy == q.By {
		return nil
	}
	read, err := w.Workloads.fresh(ctx, deploymentKind, bg.Namespace, s.Deployment)
	if err == nil {
		err = unchanged(read, s.WorkerSide, q.By)
	}
	if err != nil {
		return err
	}
	template := (&unstructured.Unstructured{Object: part(read.Object, "spec", "template")}).DeepCopy().Object
	container := workerContainer(bg, bg.Spec.Singletons[i].Container, containerNames(template))
	if container == "" {
		return fmt.Errorf("BlueGreen %s/%s: spec.singletons[%s].container must name the container that gets the image: the pod template has %s",
			bg.Namespace, bg.Name, s.Deployment, strings.Join(containerNames(template), ", "))
	}
	operations := movedBy(read, q.By)
	if s.Image != q.Image { // else the pod need not be started again
		setVersion(template, container, StageRequest{Image: q.Image, Commit: q.Commit, Release: q.Release})
		operations = append(operations, operation{Op: "replace", Path: "/spec/template", Value: template})
	}
	if err := w.Workloads.patch(ctx, read, operations); err != nil {
		return fmt.Errorf("give Deployment %s/%s the image %s: %w", bg.Namespace, s.Deployment, q.Image, err)
	}
	return nil
}
