package bot

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Record is the durable record between the bot and the deployer, as the bot needs it;
// package record implements it over Kubernetes. Any error but the sentinels below means
// that the record did not answer: then the webhook answers 503, and the sweep tries again.
type Record interface {
	// Applications returns the applications of a repository that their namespaces were
	// granted (owner/name in either case; empty: of every repository). If the number is
	// known on both sides, it takes precedence over the name (v1alpha1.BlueGreen.Follows);
	// 0 means unknown. Applications without the grant are not listed, so nothing calls
	// GitHub for them.
	Applications(ctx context.Context, repository string, id int64) ([]v1alpha1.BlueGreen, error)

	// Application returns one application, or ErrNotFound.
	Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error)

	// Work returns the releases of an application, newest first: those that are not finished
	// as they are now. It may lack one that was made in this moment.
	Work(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error)

	// Releases returns the releases of an application, newest first, and lacks none. It costs
	// as much as the namespace has releases.
	Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error)

	// Submit stores a release durably under its deterministic name. If the name exists, it
	// returns the stored release and created false, or ErrIdentity if that one asks for
	// something else (v1alpha1.SameRequest).
	Submit(ctx context.Context, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error)

	// Approve sets the approval of a release, or returns ErrSet if it is set.
	Approve(ctx context.Context, rel types.NamespacedName, a v1alpha1.Approval) error

	// Promote lets a canary go on to a weight, or returns ErrSet if it was let already.
	Promote(ctx context.Context, rel types.NamespacedName, p v1alpha1.Promotion) error

	// Cancel sets the cancel of a release and, with rollsBack, its takeBack. It returns ErrSet
	// if what it sets is set.
	Cancel(ctx context.Context, rel types.NamespacedName, c v1alpha1.Cancel) error

	// Lock keeps the deploys of an application from moving traffic, or returns ErrSet if it
	// is locked: the first lock stays, with its reason.
	Lock(ctx context.Context, app types.NamespacedName, l v1alpha1.Lock) error

	// Unlock removes an application's lock, whoever set it, and returns it; nil if there
	// was none. The record keeps who removed it.
	Unlock(ctx context.Context, app types.NamespacedName, by string) (*v1alpha1.Lock, error)

	// PublishGitHub replaces a release's status.github, by server-side apply under the
	// bot's own field manager. It writes no other part of the status. It returns ErrRace if the
	// record does not have rel's status.github any more, and ErrNotFound if the release was
	// deleted.
	PublishGitHub(ctx context.Context, rel *v1alpha1.Release, s v1alpha1.GitHubStatus) error
}

// Answers of a [Record] that are not failures.
var (
	// ErrIdentity: a release of that name asks for something else. Read it again and report
	// it to the person; never overwrite it.
	ErrIdentity = errors.New("a release of this name asks for something else")

	// ErrSet: somebody else, or an earlier attempt of the same command, has set the field.
	// Read the release again to see who.
	ErrSet = errors.New("it is already set")

	// ErrNotFound: no such object.
	ErrNotFound = errors.New("not found in the record")
)

// key names an object of the record.
func key(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// appKey names the application of a release.
func appKey(rel *v1alpha1.Release) types.NamespacedName {
	return key(rel.Namespace, rel.Spec.Application)
}
