package record

// Only the bot writes what is here: locks, a release's status.github, and deliveries.

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Lock keeps the releases of an application from moving traffic. If it is locked, Lock
// returns [ErrSet]: the first lock stays, with its reason.
func (r *Record) Lock(ctx context.Context, app types.NamespacedName, l v1alpha1.Lock) error {
	return lockChange{app, l.By, func(now *v1alpha1.Lock) (*v1alpha1.Lock, error) {
		if now != nil {
			return nil, fmt.Errorf("bluegreen %s: status.lock: %w", app, ErrSet)
		}
		return &l, nil
	}}.write(ctx, r)
}

// Unlock removes an application's lock, whoever set it, and returns it; nil if there was
// none. It records who removed it.
func (r *Record) Unlock(ctx context.Context, app types.NamespacedName, by string) (*v1alpha1.Lock, error) {
	var was *v1alpha1.Lock
	err := lockChange{app, by, func(now *v1alpha1.Lock) (*v1alpha1.Lock, error) {
		was = now
		return nil, nil
	}}.write(ctx, r)
	if err != nil {
		return nil, err
	}
	return was, nil
}

// lockChange is somebody's change of the lock of an application.
type lockChange struct {
	app    types.NamespacedName
	by     string
	change func(*v1alpha1.Lock) (*v1alpha1.Lock, error)
}

// write changes status.lock by compare-and-swap. It reads again if the deployer wrote the
// status in between.
func (c lockChange) write(ctx context.Context, r *Record) error {
	for {
		bg, err := r.Application(ctx, c.app)
		if err != nil {
			return err
		}
		before := bg.Status.Lock
		if bg.Status.Lock, err = c.change(before); err != nil {
			return err
		}
		if before == nil && bg.Status.Lock == nil {
			return nil
		}
		if bg.Status.Lock == nil {
			now := metav1.Now()
			bg.Status.UnlockedAt, bg.Status.UnlockedBy = &now, c.by
		}
		bg.Status.Format = v1alpha1.Format
		if err := FitApplication(&bg.Status); err != nil {
			return fmt.Errorf("bluegreen %s: status.lock: %w", c.app, err)
		}
		err = r.Client.Status().Update(ctx, bg, client.FieldOwner(v1alpha1.BotManager))
		if apierrors.IsConflict(err) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("writing status.lock of bluegreen %s: %w", c.app, err)
		}
		return nil
	}
}

// ErrPublished says that another process wrote status.github of a release since it was read.
var ErrPublished = errors.New("status.github was written by another process since it was read")

// publishTries is how often a write of status.github begins again because the deployer wrote the
// release in between.
const publishTries = 8

// PublishGitHub replaces a release's status.github by server-side apply, and no other field. It changes
// what rel has there: if the record has something else by now, it writes nothing, and the error
// is [ErrPublished]. So a process that stood still, and lost its lease meanwhile, does not erase what
// its successor has written down, such as its doubt that something was made twice. If rel has the
// resource version at which it had its status.github, nothing is read first. Afterwards it has the
// new one.
func (r *Record) PublishGitHub(ctx context.Context, rel *v1alpha1.Release, s v1alpha1.GitHubStatus) error {
	if err := rel.Readable(); err != nil {
		return err
	}
	if err := FitGitHub(&s); err != nil {
		return fmt.Errorf("release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	patch, err := githubApply(rel, s)
	if err != nil {
		return err
	}
	version := rel.ResourceVersion
	for range publishTries {
		if version == "" {
			if version, err = published(ctx, r, rel); err != nil {
				return err
			}
		}
		patch := patch.DeepCopy()
		patch.SetResourceVersion(version)
		//nolint:staticcheck // the typed Apply needs generated apply configurations, which this API does not have
		err = r.Client.Status().Patch(ctx, patch, client.Apply, client.FieldOwner(v1alpha1.BotManager), client.ForceOwnership)
		if err == nil {
			rel.ResourceVersion = patch.GetResourceVersion()
			return nil
		}
		if !apierrors.IsConflict(err) {
			return fmt.Errorf("writing status.github of release %s/%s: %w", rel.Namespace, rel.Name, err)
		}
		version = ""
	}
	return fmt.Errorf("writing status.github of release %s/%s: the release was written %d times meanwhile", rel.Namespace, rel.Name,
		publishTries)
}

// published returns the resource version at which a release has the status.github that rel has.
func published(ctx context.Context, r *Record, rel *v1alpha1.Release) (version string, err error) {
	now, err := r.Release(ctx, client.ObjectKeyFromObject(rel))
	if err != nil {
		return "", err
	}
	if now.UID != rel.UID {
		// The API server does not compare UIDs when it applies a status.
		gone := apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("releases").GroupResource(), rel.Name)
		return "", fmt.Errorf("release %s/%s was deleted and made again: %w", rel.Namespace, rel.Name, gone)
	}
	if !now.Status.GitHub.Same(rel.Status.GitHub) {
		return "", fmt.Errorf("release %s/%s: %w", rel.Namespace, rel.Name, ErrPublished)
	}
	return now.ResourceVersion, nil
}

// githubApply returns the object to apply: only identity and status.github.
func githubApply(rel *v1alpha1.Release, s v1alpha1.GitHubStatus) (*unstructured.Unstructured, error) {
	github, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&s)
	if err != nil {
		return nil, fmt.Errorf("encoding status.github: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"github": github}}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Release"))
	u.SetNamespace(rel.Namespace)
	u.SetName(rel.Name)
	return u, nil
}

// FitGitHub checks the bot's status. It changes nothing, since the bot compares it with
// what it published, and its texts have been fitted before.
func FitGitHub(s *v1alpha1.GitHubStatus) error {
	var errs []error
	check := func(field, text string, limit int) {
		if n := prose.Size(text); n > limit {
			errs = append(errs, fmt.Errorf("%w: status.github.%s has %d bytes (at most %d)", ErrTooLarge, field, n, limit))
		}
	}
	check("deploymentState", s.DeploymentState, 2<<10)
	check("deploymentStateIntended", s.DeploymentStateIntended, 2<<10)
	check("reaction", s.Reaction, 64)
	check("published", s.Published, 256)
	for _, c := range s.Comments {
		check("comments", c.Digest, 256)
	}
	if most := 200; len(s.Comments) > most || len(s.PullRequests) > most {
		errs = append(errs, fmt.Errorf("%w: status.github has %d comments and %d pull requests (at most %d)", ErrTooLarge, len(s.Comments),
			len(s.PullRequests), most))
	}
	return errors.Join(errs...)
}

// Deliveries reads and writes stored webhooks.
type Deliveries struct {
	// Client writes; Reader reads without a cache.
	Client client.Client
	Reader client.Reader
	// Namespace of the deliveries: Turnout's own.
	Namespace string
}

// Put writes a delivery, or finds that its name exists.
func (r *Deliveries) Put(ctx context.Context, d *v1alpha1.Delivery) (created bool, err error) {
	d.Namespace, d.Status.Format = r.Namespace, v1alpha1.Format
	err = r.Client.Create(ctx, d, client.FieldOwner(v1alpha1.BotManager))
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("writing delivery %s: is there a namespace %s, and the CRD deliveries.turnout.dev? %w", d.Name, r.Namespace, err)
	}
	if err != nil {
		return false, fmt.Errorf("writing delivery %s: %w", d.Name, err)
	}
	return true, nil
}

// Get returns a delivery. If a newer version wrote it, the error is
// [v1alpha1.NewerFormatError].
func (r *Deliveries) Get(ctx context.Context, name string) (*v1alpha1.Delivery, error) {
	var d v1alpha1.Delivery
	if err := r.Reader.Get(ctx, types.NamespacedName{Namespace: r.Namespace, Name: name}, &d); err != nil {
		return nil, fmt.Errorf("reading delivery %s: %w", name, err)
	}
	if err := d.Readable(); err != nil {
		return nil, err
	}
	return &d, nil
}

// List returns all deliveries, including those of a newer version.
func (r *Deliveries) List(ctx context.Context) ([]v1alpha1.Delivery, error) {
	var list v1alpha1.DeliveryList
	if err := r.Client.List(ctx, &list, client.InNamespace(r.Namespace)); err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return list.Items, nil
}

// Update writes a delivery by compare-and-swap.
func (r *Deliveries) Update(ctx context.Context, d *v1alpha1.Delivery) error {
	if err := d.Readable(); err != nil {
		return err
	}
	d.Status.Format = v1alpha1.Format
	err := r.Client.Update(ctx, d, client.FieldOwner(v1alpha1.BotManager))
	if apierrors.IsConflict(err) {
		return fmt.Errorf("delivery %s: %w", d.Name, ErrHeld)
	}
	if err != nil {
		return fmt.Errorf("writing delivery %s: %w", d.Name, err)
	}
	return nil
}

// Delete deletes a delivery as it was read, and no later one of its name: somebody may have had
// GitHub deliver it again.
func (r *Deliveries) Delete(ctx context.Context, d *v1alpha1.Delivery) error {
	err := r.Client.Delete(ctx, d, client.Preconditions{UID: &d.UID})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting delivery %s: %w", d.Name, err)
	}
	return nil
}
