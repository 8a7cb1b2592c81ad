package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/configmap"
	"github.com/turnout-dev/turnout/internal/imageref"
	"github.com/turnout-dev/turnout/internal/index"
)

// content is what is kept of a ConfigMap.
type content struct {
	configmap.Content
	known bool
}

// readBeside adds what belongs to the live version without being part of the application.
func (c *Collector) readBeside(ctx context.Context, from Sources, f *Facts, at moment) error {
	var live appsv1.Deployment
	key := client.ObjectKey{Namespace: f.App.Namespace, Name: f.App.Side(f.live()).Deployment}
	if err := from.Cached.Get(ctx, key, &live); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("reading deployment %s: %w", key.Name, err)
	}
	if err := c.readChanged(ctx, from, f, &live, at); err != nil {
		return err
	}
	own := f.container(live.Spec.Template.Spec)
	if own == nil {
		return nil
	}
	repositories := []string{imageref.Repository(own.Image)}
	for _, other := range f.App.OtherImages() {
		if !slices.Contains(repositories, other.Image) {
			repositories = append(repositories, other.Image)
		}
	}
	for _, repository := range repositories {
		if err := c.readUnlistedDeployments(ctx, from, f, repository, at); err != nil {
			return err
		}
	}
	slices.SortStableFunc(f.Beside.Unlisted, func(a, b Unlisted) int { return strings.Compare(a.Object, b.Object) })
	jobs, err := c.jobs.get(client.ObjectKey{Namespace: f.App.Namespace}, at, func() ([]Unlisted, error) {
		return jobsOf(ctx, from.Uncached, f.App.Namespace)
	})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if !slices.Contains(repositories, imageref.Repository(j.Image)) {
			continue
		}
		if name, ok := strings.CutPrefix(j.Object, "cronjob "); ok {
			listed, err := named(ctx, from, f.App.Namespace, index.CronJob(name))
			if err != nil {
				return err
			}
			if listed {
				continue
			}
		}
		f.Beside.Unlisted = append(f.Beside.Unlisted, j)
	}
	return nil
}

// readChanged adds the ConfigMaps that are not what they were. A release that recorded none, or
// that is gone, shows nothing.
func (c *Collector) readChanged(ctx context.Context, from Sources, f *Facts, live *appsv1.Deployment, at moment) error {
	var staged v1alpha1.Release
	name := live.Spec.Template.Annotations[v1alpha1.ReleaseAnnotation]
	if name == "" {
		return nil
	}
	if err := from.Cached.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: name}, &staged); err != nil {
		return client.IgnoreNotFound(err)
	}
	changed, err := configmap.Changed(&staged, &live.Spec.Template.Spec, func(name string) (configmap.Content, bool, error) {
		key := client.ObjectKey{Namespace: f.App.Namespace, Name: name}
		now, err := c.contents.get(key, at, func() (r content, err error) {
			r.Content, r.known, err = configmap.Read(ctx, from.Uncached, key)
			return r, err
		})
		return now.Content, now.known, err
	})
	f.Beside.Changed, f.Beside.Staged = changed, name
	return err
}

// readUnlistedDeployments adds the Deployments of a repository's images that no application names. A
// namespace may have many with one image, so the names are kept; what is known of them is as it is now.
func (c *Collector) readUnlistedDeployments(ctx context.Context, from Sources, f *Facts, repository string, at moment) error {
	key := client.ObjectKey{Namespace: f.App.Namespace, Name: repository}
	if seen := f.App.Status.ObservedGeneration; seen != 0 && seen != f.App.Generation { // it may have named one until now
		c.unlisted.drop(key)
	}
	names, err := c.unlisted.get(key, at, func() ([]string, error) { return unlistedDeployments(ctx, from, key) })
	if err != nil {
		return err
	}
	for _, name := range names {
		var d appsv1.Deployment
		err := from.Cached.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: name}, &d)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading deployment %s: %w", name, err)
		}
		listed, err := named(ctx, from, f.App.Namespace, index.Deployment(name))
		if err != nil {
			return err
		}
		if listed {
			continue
		}
		for _, u := range starts("deployment "+name, "spec.template.", d.Spec.Template.Spec) {
			if imageref.Repository(u.Image) == repository {
				f.Beside.Unlisted = append(f.Beside.Unlisted, u)
			}
		}
	}
	return nil
}

// unlistedDeployments are the names of the Deployments of a repository's images that no application of
// the namespace names.
func unlistedDeployments(ctx context.Context, from Sources, key client.ObjectKey) ([]string, error) {
	var list appsv1.DeploymentList
	if err := index.List(ctx, from.Cached, &list, key.Namespace, index.Images, key.Name, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing deployments that run %s: %w", key.Name, err)
	}
	var names []string
	for i := range list.Items {
		listed, err := named(ctx, from, key.Namespace, index.Deployment(list.Items[i].Name))
		if err != nil {
			return nil, err
		}
		if !listed {
			names = append(names, list.Items[i].Name)
		}
	}
	return names, nil
}

// named reports whether any application names a part.
func named(ctx context.Context, from Sources, namespace, part string) (bool, error) {
	var apps v1alpha1.BlueGreenList
	if err := index.List(ctx, from.Cached, &apps, namespace, index.Part, part, client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("listing bluegreens that name %s: %w", part, err)
	}
	return len(apps.Items) > 0, nil
}

// jobsOf are the CronJobs of a namespace, and the Jobs that have not ended and that nothing
// controls, without migrations. Nothing watches them.
func jobsOf(ctx context.Context, from client.Reader, namespace string) ([]Unlisted, error) {
	var all []Unlisted
	var crons batchv1.CronJobList
	if err := from.List(ctx, &crons, client.InNamespace(namespace)); err != nil && !apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("listing cronjobs: %w", err)
	}
	for i := range crons.Items {
		j := &crons.Items[i]
		all = append(all, starts("cronjob "+j.Name, "spec.jobTemplate.spec.template.", j.Spec.JobTemplate.Spec.Template.Spec)...)
	}
	var jobs batchv1.JobList
	if err := from.List(ctx, &jobs, client.InNamespace(namespace)); err != nil && !apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("listing jobs: %w", err)
	}
	for i := range jobs.Items {
		j := &jobs.Items[i]
		ended := slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
			return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
		})
		if !ended && metav1.GetControllerOf(j) == nil && j.Spec.Template.Labels[v1alpha1.MigrationLabel] == "" {
			all = append(all, starts("job "+j.Name, "spec.template.", j.Spec.Template.Spec)...)
		}
	}
	return all, nil
}

// starts are the images of an object's pods.
func starts(object, field string, pod corev1.PodSpec) []Unlisted {
	var all []Unlisted
	for _, of := range []struct {
		field string
		list  []corev1.Container
	}{{"initContainers", pod.InitContainers}, {"containers", pod.Containers}} {
		for _, c := range of.list {
			all = append(all, Unlisted{Object: object, Field: fmt.Sprintf("%sspec.%s[%s].image", field, of.field, c.Name), Image: c.Image})
		}
	}
	return all
}
