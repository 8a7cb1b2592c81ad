// Package record is the record over Kubernetes: it writes releases, approves and cancels
// them, and holds the claim that lets one release at a time act.
//
// record.go has the releases and their set-once fields, lately.go which of them need not be
// read again, claim.go the claim and the statuses, bot.go what only the bot writes (locks, status.github, deliveries), and
// repositories.go the ledger of repositories. fit.go limits every text and list of a
// status. watch.go calls back when the record changes, and panic.go turns panics in such a
// callback into events.
//
// Every write is a compare-and-swap or a create under a deterministic name, so two
// processes that want the same thing end up with one of it. Reads for a decision are not
// cached, except of a release that this process has just read or written. The package
// neither reads nor writes what a newer version wrote: [v1alpha1.NewerFormatError].
//
// # Decisions
//
// The claim is a field of the BlueGreen's status, not a Lease: one read shows which release
// acts for whom, and taking it over is one compare-and-swap. A slow holder notices at its
// next write, because a takeover also writes the release, and every write of a release is a
// compare-and-swap. That costs a status write every few seconds while a release runs.
package record

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	// Client writes. Its reads may be cached; they only find applications by repository.
	Client client.Client
	// Reader reads without a cache.
	Reader client.Reader
	// Namespaces to serve; empty means all.
	Namespaces []string
	// RenewEvery is how often a claim is renewed while a release runs. Default: the
	// constant of the same name.
	RenewEvery time.Duration
	// StaleAfter is the age at which another process may take over a claim. All processes
	// must use the same. Default: the constant of the same name.
	StaleAfter time.Duration
	// Crowded reports whether so many releases are on their way to their users that publishing
	// gives way to them, see [Record.Watch]. Optional. Set it before Watch.
	Crowded func() bool

	lately versions
}

// ErrIdentity says that a release of that name exists and asks for something else. The
// caller must not treat it as its own.
var ErrIdentity = errors.New("a different release has this name")

// ErrLeaving says that a release of that name is being deleted, for example one of an
// earlier application of the same name. It will do nothing for this one: try again.
var ErrLeaving = errors.New("a deleted release still has this name: try again")

// ErrSet says that a set-once field is set. The caller reads the release and reports the
// field's value.
var ErrSet = errors.New("already set")

// Applications returns the BlueGreens of a repository that their namespaces were granted;
// of every repository if it is empty. The repository's number, if known, takes precedence
// over its name, see [v1alpha1.BlueGreen.Follows].
func (r *Record) Applications(ctx context.Context, repository string, id int64) ([]v1alpha1.BlueGreen, error) {
	all, err := candidates(ctx, r, repository, id)
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
			granted = append(granted, *bg.DeepCopy())
		}
	}
	return granted, nil
}

// candidates returns every application that may follow a repository; all if it is empty. They must
// not be changed. Each webhook asks, so it must cost nothing that others follow other repositories.
func candidates(ctx context.Context, r *Record, repository string, id int64) ([]v1alpha1.BlueGreen, error) {
	by := []client.ListOption{&client.ListOptions{}} // no condition
	if repository != "" {
		by = nil
		for _, value := range index.Repositories(repository, id) {
			by = append(by, client.MatchingFields{index.Repository: value})
		}
	}
	namespaces := r.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	found := map[client.ObjectKey]v1alpha1.BlueGreen{}
	for _, namespace := range namespaces {
		for _, condition := range by {
			var list v1alpha1.BlueGreenList
			if err := r.Client.List(ctx, &list, client.InNamespace(namespace), condition, client.UnsafeDisableDeepCopy); err != nil {
				return nil, fmt.Errorf("listing bluegreens: %w", err)
			}
			for _, bg := range list.Items {
				found[client.ObjectKeyFromObject(&bg)] = bg
			}
		}
	}
	return slices.Collect(maps.Values(found)), nil
}

// isGranted reports whether a namespace was granted a repository.
func isGranted(ctx context.Context, from client.Reader, namespace, repository string) (bool, error) {
	var ns corev1.Namespace
	if err := from.Get(ctx, types.NamespacedName{Name: namespace}, &ns); err != nil {
		return false, fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	return v1alpha1.GrantsRepository(ns.Annotations[v1alpha1.RepositoriesAnnotation], repository), nil
}

// Application returns one BlueGreen. If a newer version wrote it, the error is
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

// Releases returns the releases of an application, newest first. If a newer version wrote
// one, the others cannot be interpreted: the error is [v1alpha1.NewerFormatError].
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
		// Creation times have a resolution of a second. Within a second the names decide,
		// so that every reader sees the same order.
		return strings.Compare(b.Name, a.Name)
	})
	return list.Items, nil
}

// Work returns the releases of an application for the deployer, newest first. Finished
// ones, which no longer change, come from the cache. Unfinished ones are read now, unless
// this process has read or written them within the last 5 s and the cache has that very
// version: then somebody may have changed them in this moment, but an act is preceded by a
// write, which is refused if so. A watch reports a release that the cache lacks.
func (r *Record) Work(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	known, err := Known{r.Client}.Releases(ctx, app)
	if err != nil {
		return nil, err
	}
	var now []v1alpha1.Release
	for i := range known {
		if known[i].Status.Phase.Finished() || r.lately.has(&known[i], time.Now()) {
			now = append(now, known[i])
			continue
		}
		asked := time.Now()
		rel, err := r.Release(ctx, client.ObjectKeyFromObject(&known[i]))
		if apierrors.IsNotFound(err) {
			r.lately.forget(known[i].UID)
			continue
		}
		if err != nil {
			return nil, err
		}
		r.lately.note(rel, asked)
		now = append(now, *rel)
	}
	return now, nil
}

// Known is the record as the cache has it, for those who are woken by its changes and compare what
// they read with what they write.
type Known struct{ Cache client.Reader }

// Application returns an application.
func (k Known) Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	return (&Record{Reader: k.Cache}).Application(ctx, key)
}

// Releases returns the releases of an application, newest first.
func (k Known) Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	return releases(ctx, k.Cache, app, client.MatchingFields{index.Application: app.Name})
}

// Release returns one release. If a newer version wrote it, the error is
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

// Submit writes a release, or finds it written. If a release of that name asks for
// something else, the error is [ErrIdentity]; if it is being deleted, [ErrLeaving]. The
// release gets its application's label and owner reference.
func (r *Record) Submit(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	key := types.NamespacedName{Namespace: rel.Namespace, Name: rel.Spec.Application}
	bg, err := Known{r.Client}.Application(ctx, key) // only its name and UID are needed
	if apierrors.IsNotFound(err) {
		bg, err = r.Application(ctx, key)
	}
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

// leaving reports whether a release is being deleted, or will be: after an application, the
// cluster deletes what it owned.
func leaving(rel *v1alpha1.Release, bg *v1alpha1.BlueGreen) bool {
	owner := metav1.GetControllerOf(rel)
	return rel.DeletionTimestamp != nil || owner != nil && owner.Kind == "BlueGreen" && owner.UID != bg.UID
}

// Approve records an approval. It returns [ErrSet] if the release has one.
func (r *Record) Approve(ctx context.Context, key types.NamespacedName, a v1alpha1.Approval) error {
	return setOnce{"approval", func(spec *v1alpha1.ReleaseSpec) bool {
		if spec.Approval != nil {
			return false
		}
		spec.Approval = &a
		return true
	}}.write(ctx, r, key)
}

// Cancel asks a release to stop and, with rollsBack, to take users back, whoever had it stopped. It
// returns [ErrSet] if somebody has asked for all of that already.
func (r *Record) Cancel(ctx context.Context, key types.NamespacedName, c v1alpha1.Cancel) error {
	return setOnce{"cancel", func(spec *v1alpha1.ReleaseSpec) bool { return spec.Ask(c) }}.write(ctx, r, key)
}

// Promote lets a canary go on to a weight. It returns [ErrSet] if somebody has asked for
// that weight already.
func (r *Record) Promote(ctx context.Context, key types.NamespacedName, p v1alpha1.Promotion) error {
	return setOnce{"promotions", func(spec *v1alpha1.ReleaseSpec) bool {
		for _, had := range spec.Promotions {
			if had.Weight == p.Weight {
				return false
			}
		}
		spec.Promotions = append(spec.Promotions, p)
		return true
	}}.write(ctx, r, key)
}

// Confirm records that users reach the colour that a release moved them to. It returns
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

// setOnce is a set-once field of a release. set sets it, and reports whether it was unset.
type setOnce struct {
	field string
	set   func(*v1alpha1.ReleaseSpec) bool
}

// write sets the field by compare-and-swap. It reads again if the deployer wrote the
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
