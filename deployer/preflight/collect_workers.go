package preflight

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/index"
)

// readWorkers adds the Deployments of the workers.
func readWorkers(ctx context.Context, from Sources, f *Facts) error {
	for _, spec := range f.App.Spec.Workers {
		for _, c := range both {
			w := Worker{Name: spec.Name, Color: c, Deployment: f.App.WorkerDeployment(spec, c)}
			d := &appsv1.Deployment{}
			err := from.Cached.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: w.Deployment}, d)
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("reading deployment %s: %w", w.Deployment, err)
			}
			if err == nil {
				w.Exists, w.Replicas, w.Labels = true, 1, d.Spec.Template.Labels // 1 is the API's default
				if d.Spec.Replicas != nil {
					w.Replicas = *d.Spec.Replicas
				}
				w.Colored = d.Spec.Selector.MatchLabels[track.ColorLabel(f.App)] == string(c)
				for _, container := range d.Spec.Template.Spec.Containers {
					w.Containers = append(w.Containers, container.Name)
				}
			}
			if w.Others, err = namedBy(ctx, from, f.App, index.Deployment(w.Deployment)); err != nil {
				return err
			}
			f.Workers = append(f.Workers, w)
		}
	}
	return nil
}

// namedBy are the other applications of the namespace that name an object, as a value of
// [index.Part].
func namedBy(ctx context.Context, from Sources, app *v1alpha1.BlueGreen, part string) (names []string, err error) {
	var list v1alpha1.BlueGreenList
	if err := index.List(ctx, from.Cached, &list, app.Namespace, index.Part, part); err != nil {
		return nil, fmt.Errorf("listing bluegreens that name %s: %w", part, err)
	}
	for i := range list.Items {
		if list.Items[i].Name != app.Name {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// readSingletons adds the Deployments of the singletons.
func readSingletons(ctx context.Context, from Sources, f *Facts) error {
	for _, spec := range f.App.Spec.Singletons {
		s := Singleton{Deployment: spec.Deployment}
		d := &appsv1.Deployment{}
		err := from.Cached.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: s.Deployment}, d)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading deployment %s: %w", s.Deployment, err)
		}
		if err == nil {
			s.Exists, s.Strategy = true, string(d.Spec.Strategy.Type)
			for _, container := range d.Spec.Template.Spec.Containers {
				s.Containers = append(s.Containers, container.Name)
			}
		}
		if s.Others, err = namedBy(ctx, from, f.App, index.Deployment(s.Deployment)); err != nil {
			return err
		}
		f.Singletons = append(f.Singletons, s)
	}
	return nil
}

// readCronJobs adds the CronJobs.
func (c *Collector) readCronJobs(ctx context.Context, from Sources, f *Facts, at moment) error {
	for _, spec := range f.App.Spec.CronJobs {
		key := client.ObjectKey{Namespace: f.App.Namespace, Name: spec.Name}
		j, err := c.cronJobs.get(key, at, func() (CronJob, error) {
			var object batchv1.CronJob
			err := from.Uncached.Get(ctx, key, &object)
			if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
				return CronJob{Name: key.Name, Unread: apierrors.IsForbidden(err)}, nil
			}
			if err != nil {
				return CronJob{}, fmt.Errorf("reading cronjob %s: %w", key.Name, err)
			}
			read := CronJob{Name: key.Name, Exists: true}
			for _, container := range object.Spec.JobTemplate.Spec.Template.Spec.Containers {
				read.Containers = append(read.Containers, container.Name)
			}
			return read, nil
		})
		if err != nil {
			return err
		}
		if j.Others, err = namedBy(ctx, from, f.App, index.CronJob(j.Name)); err != nil {
			return err
		}
		f.CronJobs = append(f.CronJobs, j)
	}
	return nil
}
