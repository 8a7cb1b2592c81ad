package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// ownRepository is the only way to an application's repository.
type ownRepository struct{ *work }

// contains asks whether a commit contains another, or is the same.
func (w ownRepository) contains(ctx context.Context, t *turn, commit, other string) (bool, error) {
	if w.bg.Pinned() == nil { // not met yet, or so its owner makes it seem
		if err := w.identify(ctx, t); err != nil {
			return false, err
		}
	}
	q := question{
		what:  fmt.Sprintf("whether %s contains %s", v1alpha1.ShortCommit(commit), v1alpha1.ShortCommit(other)),
		about: fmt.Sprint(w.bg.Spec.Repository, " ", commit, " ", other),
	}
	source := w.source()
	yes, err := ask(ctx, t, q, func(ctx context.Context) (bool, error) { return source.IsAncestor(ctx, other, commit) })
	if err != nil {
		return false, fmt.Errorf("asking %s: %w", q.what, err)
	}
	return yes, nil
}

// hasCommit asks whether a repository has a commit.
func (w ownRepository) hasCommit(ctx context.Context, t *turn, commit string) (bool, error) {
	repository := w.bg.Spec.Repository
	q := question{what: fmt.Sprintf("whether %s has commit %s", repository, v1alpha1.ShortCommit(commit)), about: commit}
	source := w.source()
	has, err := ask(ctx, t, q, func(ctx context.Context) (bool, error) { return source.HasCommit(ctx, commit) })
	if err != nil {
		return false, fmt.Errorf("asking %s: %w", q.what, err)
	}
	return has, nil
}

// identify compares the repository with the one that was first met, by its number. At first contact
// it writes the number into the ledger before it asks anything else. A name may lead to another
// repository after a transfer, or when somebody takes over the name.
func (w ownRepository) identify(ctx context.Context, t *turn) error {
	if w.identified {
		return nil
	}
	source := w.source()
	q := question{what: "the number of " + w.bg.Spec.Repository}
	id, err := ask(ctx, t, q, source.RepositoryID)
	if err != nil {
		return fmt.Errorf("asking for the number of %s: %w", w.bg.Spec.Repository, err)
	}
	first := id
	if pin := w.bg.Pinned(); pin != nil {
		first = pin.ID // recorded before there was a ledger
	}
	met, err := w.d.Repositories.Meet(ctx, w.bg.Namespace, w.bg.Spec.Repository, first)
	if err != nil {
		return err
	}
	pin := w.bg.Pinned()
	if pin == nil || pin.ID != met {
		pin = w.pin(met)
	}
	pin.Found = 0
	if met != id {
		pin.Found = id
		w.barred = track.OtherRepository(w.bg, w.granted)
		return w.barred
	}
	w.identified = true
	return nil
}

// pin shows in the application's status what the ledger contains.
func (w ownRepository) pin(id int64) *v1alpha1.RepositoryPin {
	w.bg.Status.Repository = &v1alpha1.RepositoryPin{Name: w.bg.Spec.Repository, ID: id, At: metav1.NewTime(w.o.Now)}
	return w.bg.Status.Repository
}

// repin does what a cluster administrator wrote on the Namespace. A rollback does not wait for it.
func (w ownRepository) repin(ctx context.Context, granted v1alpha1.Grants) {
	pin, id := w.bg.Pinned(), granted.RepinnedTo(w.bg.Spec.Repository)
	if id == 0 || pin != nil && pin.ID == id {
		return
	}
	if err := w.d.Repositories.Repin(ctx, w.bg.Namespace, w.bg.Spec.Repository, id); err != nil {
		w.log.WarnContext(ctx, "the repository will be pinned again later", "repository", w.bg.Spec.Repository, "error", err)
		w.wakeAt(w.o.Now.Add(retryGrant))
		return
	}
	w.pin(id)
}

// meetAgain asks for the number again, at growing intervals, while a deploy waits for it. In the
// meantime it asks nothing else of the repository that has the name.
func (w ownRepository) meetAgain(ctx context.Context, granted v1alpha1.Grants) error {
	pin := w.bg.Pinned()
	deploys, _ := w.waiting(nil)
	if pin == nil || pin.Found == 0 || len(deploys) == 0 || len(granted.Missing(w.bg.Needs()...)) > 0 {
		return nil
	}
	t := w.d.calls.turn(client.ObjectKeyFromObject(w.bg), turnKey{step: comesBack}, patience)
	if until, why := t.held(w.o.Now); why != nil {
		w.wakeAt(until)
		return nil //nolint:nilerr // a wait, not a failure
	}
	source, first := w.source(), pin.ID
	_, err := ask(ctx, t, question{what: "the number of " + w.bg.Spec.Repository}, func(ctx context.Context) (int64, error) {
		id, err := source.RepositoryID(ctx)
		if err == nil && id != first {
			err = fmt.Errorf("it is %d, and not %d", id, first)
		}
		return id, err
	})
	if asked := pending(err); asked != nil {
		w.wakeAt(asked.pause(w.o.Now).until)
		return nil
	}
	if until := t.settle(w.o.Now, err); !until.IsZero() {
		w.wakeAt(until)
	}
	switch {
	case err == nil:
		pin.Found = 0
	case ctx.Err() != nil:
		return err
	default:
		w.log.InfoContext(ctx, "the repository that was first met is not back", "repository", w.bg.Spec.Repository, "error", err)
	}
	return nil
}

// source is the source of the application that is looked at.
func (w ownRepository) source() ownSource {
	return ownSource{w.d.Source, w.bg.Spec.Repository, w.barred}
}

// comesBack is the turn for the question whether the repository that was first met has its name
// again: after a transfer that was reverted, or when whoever took the name over is gone.
const comesBack = v1alpha1.Step("repository")
