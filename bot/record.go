package bot

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Record is the durable record between the bot and the deployer, as the bot
// needs it; record fills it over Kubernetes. Any error but the
// sentinels below means that the record did not answer: the webhook is then
// answered 503 and the sweep asks again.
type Record interface {
	// Applications returns the applications of a repository (owner/name, case
	// does not matter; empty: of every repository) in any namespace that was
	// granted it. Its number goes before its name where both are known
	// (v1alpha1.BlueGreen.Follows); 0: it is not known. Without the grant an application is not listed, so no call to
	// GitHub is made for it.
	Applications(ctx context.Context, repository string, id int64) ([]v1alpha1.BlueGreen, error)

	// Application returns one application, or ErrNotFound.
	Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error)

	// Releases returns the releases of an application, newest first.
	Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error)

	// Submit stores a release under its deterministic name; once it returns,
	// the release is durable. If the name exists already, the stored one is
	// returned with created false, or ErrIdentity if it asks for something else
	// (v1alpha1.SameRequest).
	Submit(ctx context.Context, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error)

	// Approve sets the approval of a release, or returns ErrSet if it has one.
	Approve(ctx context.Context, rel types.NamespacedName, a v1alpha1.Approval) error

	// Cancel sets the cancel of a release, or returns ErrSet if it has one.
	Cancel(ctx context.Context, rel types.NamespacedName, c v1alpha1.Cancel) error

	// Lock keeps the deploys of an application from moving traffic, or returns
	// ErrSet if it is locked: the first lock stays, with its reason.
	Lock(ctx context.Context, app types.NamespacedName, l v1alpha1.Lock) error

	// Unlock takes the lock of an application away, whoever set it, and returns
	// it; nil if there was none. Who did it is kept.
	Unlock(ctx context.Context, app types.NamespacedName, by string) (*v1alpha1.Lock, error)

	// PublishGitHub replaces status.github of a release, by server-side apply
	// under the bot's own field manager. It writes nothing else of the status.
	// A release that was deleted meanwhile is ErrNotFound.
	PublishGitHub(ctx context.Context, rel *v1alpha1.Release, s v1alpha1.GitHubStatus) error
}

// What a [Record] may answer besides not answering.
var (
	// ErrIdentity: a release of that name asks for something else. Read it again
	// and tell the person; never overwrite it.
	ErrIdentity = errors.New("a release of this name asks for something else")

	// ErrSet: the field was set already, by somebody else or by an earlier try
	// of the same command. Read the release again to see by whom.
	ErrSet = errors.New("it was set already")

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
