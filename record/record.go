// Package record is the record over Kubernetes: it writes releases, approves and
// cancels them, and holds the claim by which one release at a time acts.
//
// Every write is a compare-and-swap or a create under a deterministic name, so two
// processes that want the same thing end up with one of it. Reads for a decision are not
// cached. It neither reads nor writes what a newer version wrote:
// [v1alpha1.NewerFormatError].
//
// # Decisions
//
// The claim is a field of the BlueGreen's status instead of a Lease: one read
// shows who acts on what, and taking it over is one compare-and-swap. A holder
// that was only slow notices at its next write, because a takeover also writes
// the release, and every write of a release is a compare-and-swap. It costs a
// status write every few seconds while a release acts.
package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/index"
)

// Record reads and writes BlueGreens and Releases.
type Record struct {
	// Client writes. Its reads may be cached; they serve only to find
	// applications by repository.
	Client client.Client
	// Reader reads past any cache.
	Reader client.Reader
	// Namespaces to look at; none means all.
	Namespaces []string
	// RenewEvery is how often a claim is renewed while a release acts. The zero
	// value is the constant of the same name.
	RenewEvery time.Duration
	// StaleAfter is the age at which another process may take a claim over. All processes
	// must agree on it. The zero value is the constant of the same name.
	StaleAfter time.Duration
}

// ErrIdentity reports that a release of the wanted name exists and asks for something
// else. The caller must not continue as if it were its own.
var ErrIdentity = errors.New("a different release has this name")

// ErrLeaving reports that a release of the wanted name is being deleted, such as one of an
// earlier application of the same name: it will do nothing for this one. The caller asks again.
var ErrLeaving = errors.New("a deleted release still has this name: try again")

// ErrSet reports that a set-once field is set already. The caller reads the release and
// reports what it holds.
var ErrSet = errors.New("already set")

// Applications returns the BlueGreens of a repository, or of every repository if it is
// empty, in namespaces that are granted theirs. The repository's number, if it is known,
// takes precedence over its name, see [v1alpha1.BlueGreen.Follows].
func (r *Record) Applications(ctx context.Context, repository string, id int64) ([]v1alpha1.BlueGreen, error) {
	all, err := applications(ctx, r.Client, r.Namespaces)
	if err != nil {
		return nil, err
	}
	var granted []v1alpha1.BlueGreen
	for _, bg := range all {
		if repository != "" && !bg.Follows(repository, id) {
			continue
		}
		ok, err := isGranted(ctx, r.Client, bg.Namespace, bg.Spec.Repository)
		if err != nil {
			return nil, err
		}
		if ok {
			granted = append(granted, bg)
		}
	}
	return granted, nil
}

// applications are those of some namespaces; none means all.
func applications(ctx context.Context, from client.Reader, namespaces []string) ([]v1alpha1.BlueGreen, error) {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var all []v1alpha1.BlueGreen
	for _, namespace := range namespaces {
		var list v1alpha1.BlueGreenList
		if err := from.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("listing bluegreens: %w", err)
		}
		all = append(all, list.Items...)
	}
	return all, nil
}

// isGranted reports whether a namespace is granted a repository.
func isGranted(ctx context.Context, from client.Reader, namespace, repository string) (bool, error) {
	var ns corev1.Namespace
	if err := from.Get(ctx, types.NamespacedName{Name: namespace}, &ns); err != nil {
		return false, fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	return v1alpha1.GrantsRepository(ns.Annotations[v1alpha1.RepositoriesAnnotation], repository), nil
}

// Application returns one BlueGreen. One that a newer version wrote is a
// [v1alpha1.NewerFormatError].
func (r *Record) Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	var bg v1alpha1.BlueGreen
	if err := r.Reader.Get(ctx, key, &bg); err != nil {
		return nil, fmt.Errorf("reading bluegreen %s: %w", key, err)
	}
	if err := bg.Readable(); err != nil {
		return nil, err
	}
	return &bg, nil
}

// Releases returns the releases of an application, newest first. If one is of a newer
// version, the others cannot be interpreted: the error is [v1alpha1.NewerFormatError].
func (r *Record) Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	return releases(ctx, r.Reader, app, client.MatchingLabels{v1alpha1.ApplicationLabel: app.Name})
}

func releases(ctx context.Context, from client.Reader, app types.NamespacedName, by client.ListOption) ([]v1alpha1.Release, error) {
	var list v1alpha1.ReleaseList
	err := from.List(ctx, &list, client.InNamespace(app.Namespace), by)
	if err != nil {
		return nil, fmt.Errorf("listing releases of %s: %w", app, err)
	}
	for i := range list.Items {
		if err := list.Items[i].Readable(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list.Items, func(a, b v1alpha1.Release) int {
		if c := b.CreationTimestamp.Compare(a.CreationTimestamp.Time); c != 0 {
			return c
		}
		// Creation times have a resolution of a second; within it the API
		// server's names decide, so that every reader sees one order.
		return strings.Compare(b.Name, a.Name)
	})
	return list.Items, nil
}

// Work returns the releases of an application as whoever drives it needs them, newest
// first: the unfinished ones as they are now, and the finished ones, which do not change
// any more, as the cache has them. A watch reports a release that the cache does not
// have yet.
func (r *Record) Work(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	known, err := releases(ctx, r.Client, app, client.MatchingFields{index.Application: app.Name})
	if err != nil {
		return nil, err
	}
	var now []v1alpha1.Release
	for i := range known {
		if known[i].Status.Phase.Finished() {
			now = append(now, known[i])
			continue
		}
		rel, err := r.Release(ctx, client.ObjectKeyFromObject(&known[i]))
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		now = append(now, *rel)
	}
	return now, nil
}

// Release returns one release. One that a newer version wrote is a
// [v1alpha1.NewerFormatError].
func (r *Record) Release(ctx context.Context, key types.NamespacedName) (*v1alpha1.Release, error) {
	var rel v1alpha1.Release
	if err := r.Reader.Get(ctx, key, &rel); err != nil {
		return nil, fmt.Errorf("reading release %s: %w", key, err)
	}
	if err := rel.Readable(); err != nil {
		return nil, err
	}
	return &rel, nil
}

// Submit writes a release, or finds that it is written already. A release of the same
// name that asks for something else is [ErrIdentity], one that is being deleted is
// [ErrLeaving]. The release gets its application's label, and is owned by it.
func (r *Record) Submit(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	bg, err := r.Application(ctx, types.NamespacedName{Namespace: rel.Namespace, Name: rel.Spec.Application})
	if err != nil {
		return nil, false, err
	}
	stored := rel.DeepCopy()
	if stored.Labels == nil {
		stored.Labels = map[string]string{}
	}
	stored.Labels[v1alpha1.ApplicationLabel] = bg.Name
	stored.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(bg, v1alpha1.GroupVersion.WithKind("BlueGreen"))}
	err = r.Client.Create(ctx, stored, client.FieldOwner(v1alpha1.BotManager))
	if err == nil {
		return stored, true, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, false, fmt.Errorf("writing release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	present, err := r.Release(ctx, client.ObjectKeyFromObject(rel))
	if apierrors.IsNotFound(err) || err == nil && leaving(present, bg) {
		return nil, false, fmt.Errorf("release %s/%s: %w", rel.Namespace, rel.Name, ErrLeaving)
	}
	if err != nil {
		return nil, false, err
	}
	if !v1alpha1.SameRequest(present, rel) {
		return present, false, fmt.Errorf("release %s/%s: %w", rel.Namespace, rel.Name, ErrIdentity)
	}
	return present, false, nil
}

// leaving reports whether a release is deleted, or will be: the cluster deletes what an
// application owned after that application.
func leaving(rel *v1alpha1.Release, bg *v1alpha1.BlueGreen) bool {
	owner := metav1.GetControllerOf(rel)
	return rel.DeletionTimestamp != nil || owner != nil && owner.Kind == "BlueGreen" && owner.UID != bg.UID
}

// Approve records a person's approval of a release. It returns [ErrSet] if the release
// has one already.
func (r *Record) Approve(ctx context.Context, key types.NamespacedName, a v1alpha1.Approval) error {
	return setOnce{"approval", func(spec *v1alpha1.ReleaseSpec) bool {
		if spec.Approval != nil {
			return false
		}
		spec.Approval = &a
		return true
	}}.write(ctx, r, key)
}

// Cancel asks a release to stop. It returns [ErrSet] if somebody has asked already.
func (r *Record) Cancel(ctx context.Context, key types.NamespacedName, c v1alpha1.Cancel) error {
	return setOnce{"cancel", func(spec *v1alpha1.ReleaseSpec) bool {
		if spec.Cancel != nil {
			return false
		}
		spec.Cancel = &c
		return true
	}}.write(ctx, r, key)
}

// Confirm records that users reach a colour since a release moved them. It returns
// [ErrSet] if somebody has confirmed that already.
func (r *Record) Confirm(ctx context.Context, key types.NamespacedName, c v1alpha1.Confirmation) error {
	return setOnce{"confirmations", func(spec *v1alpha1.ReleaseSpec) bool {
		if spec.Confirmed(c.Color) != nil {
			return false
		}
		spec.Confirmations = append(spec.Confirmations, c)
		return true
	}}.write(ctx, r, key)
}

// setOnce is a field of a release that is set once. set sets it, and reports whether it
// was free.
type setOnce struct {
	field string
	set   func(*v1alpha1.ReleaseSpec) bool
}

// write sets the field by compare-and-swap. It reads again when the deployer wrote the
// release in between.
func (s setOnce) write(ctx context.Context, r *Record, key types.NamespacedName) error {
	for {
		rel, err := r.Release(ctx, key)
		if err != nil {
			return err
		}
		if !s.set(&rel.Spec) {
			return fmt.Errorf("release %s: spec.%s: %w", key, s.field, ErrSet)
		}
		err = r.Client.Update(ctx, rel, client.FieldOwner(v1alpha1.BotManager))
		if apierrors.IsConflict(err) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("writing spec.%s of release %s: %w", s.field, key, err)
		}
		return nil
	}
}
