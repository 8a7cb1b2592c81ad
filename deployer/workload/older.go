package workload

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/imageref"
)

// Older finds what runs another version of an application than the live one.
type Older struct {
	// Reader reads past the cache.
	Reader client.Reader
}

// Find lists the pods of a namespace that run another image of a live image's repository, and the
// Deployments, Jobs and CronJobs that would start one. live are images by digest, of a repository
// each. An image whose digest is not known counts as another one.
func (l Older) Find(ctx context.Context, namespace string, live ...string) ([]track.Older, error) {
	var found []track.Older
	for _, find := range []func(context.Context, string, []string) ([]track.Older, error){l.pods, l.deployments, l.jobs, l.cronJobs} {
		some, err := find(ctx, namespace, live)
		if err != nil {
			return nil, fmt.Errorf("looking in namespace %s for what runs an older version: %w", namespace, err)
		}
		found = append(found, some...)
	}
	return found, nil
}

func (l Older) pods(ctx context.Context, namespace string, live []string) ([]track.Older, error) {
	var list corev1.PodList
	if err := l.Reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var found []track.Older
	for i := range list.Items {
		p := &list.Items[i]
		if podEnded(p) {
			continue
		}
		runs := map[string]string{}
		for _, s := range slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses) {
			runs[s.Name] = s.ImageID
		}
		for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
			if another(c.Image, runs[c.Name], live) {
				found = append(found, track.Older{Object: "pod " + p.Name, Image: c.Image})
				break
			}
		}
	}
	return found, nil
}

// deployments looks at what is not scaled to 0. Pods show what an image without a digest is.
func (l Older) deployments(ctx context.Context, namespace string, live []string) ([]track.Older, error) {
	var list appsv1.DeploymentList
	if err := l.Reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var found []track.Older
	for i := range list.Items {
		d := &list.Items[i]
		if image := older(&d.Spec.Template.Spec, live); strings.Contains(image, "@") && (d.Spec.Replicas == nil || *d.Spec.Replicas > 0) {
			found = append(found, track.Older{Object: "deployment " + d.Name, Image: image})
		}
	}
	return found, nil
}

func (l Older) jobs(ctx context.Context, namespace string, live []string) ([]track.Older, error) {
	var list batchv1.JobList
	if err := l.Reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var found []track.Older
	for i := range list.Items {
		j := &list.Items[i]
		ended := slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
			return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
		})
		if image := older(&j.Spec.Template.Spec, live); image != "" && !ended {
			found = append(found, track.Older{Object: "job " + j.Name, Image: image})
		}
	}
	return found, nil
}

func (l Older) cronJobs(ctx context.Context, namespace string, live []string) ([]track.Older, error) {
	var list batchv1.CronJobList
	if err := l.Reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var found []track.Older
	for i := range list.Items {
		j := &list.Items[i]
		suspended := j.Spec.Suspend != nil && *j.Spec.Suspend
		if image := older(&j.Spec.JobTemplate.Spec.Template.Spec, live); image != "" && !suspended {
			found = append(found, track.Older{Object: "cronjob " + j.Name, Image: image})
		}
	}
	return found, nil
}

// older is an image of a pod template that is another version than the live one; "" if there is
// none.
func older(spec *corev1.PodSpec, live []string) string {
	for _, c := range slices.Concat(spec.Containers, spec.InitContainers) {
		if another(c.Image, "", live) {
			return c.Image
		}
	}
	return ""
}

// another reports whether an image is of a live one's repository, but not the live one. id is what
// the node reports of it; "" if nothing.
func another(image, id string, live []string) bool {
	i := slices.IndexFunc(live, func(l string) bool { return imageref.Repository(l) == imageref.Repository(image) })
	if i < 0 || image == live[i] {
		return false
	}
	digest := cmp.Or(imageref.Digest(id), imageref.Digest(image))
	return digest == "" || digest != imageref.Digest(live[i])
}
