package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// ownRepository is the only access to an application's repository.
type ownRepository struct {
	remote Source
	ledger interface {
		Meet(ctx context.Context, namespace, name string, id int64) (int64, error)
	}
}

// contains asks whether a commit contains another, or is the same.
func (r ownRepository) contains(ctx context.Context, w *work, t *turn, commit, other string) (bool, error) {
	if w.bg.Pinned() == nil { // not pinned yet, or its owner removed the pin from the status
		if err := r.identify(ctx, w, t); err != nil {
			return false, err
		}
	}
	q := question{
		what:  fmt.Sprintf("whether %s contains %s", v1alpha1.ShortCommit(commit), v1alpha1.ShortCommit(other)),
		about: fmt.Sprint(w.bg.Spec.Repository, " ", commit, " ", other),
	}
	source := r.source(w)
	yes, err := ask(ctx, t, q, func(ctx context.Context) (bool, error) { return source.IsAncestor(ctx, other, commit) })
	if err != nil {
		return false, fmt.Errorf("asking %s: %w", q.what, err)
	}
	return yes, nil
}

// hasCommit asks whether a repository has a commit.
func (r ownRepository) hasCommit(ctx context.Context, w *work, t *turn, commit string) (bool, error) {
	repository := w.bg.Spec.Repository
	q := question{what: fmt.Sprintf("whether %s has commit %s", repository, v1alpha1.ShortCommit(commit)), about: commit}
	source := r.source(w)
	has, err := ask(ctx, t, q, func(ctx context.Context) (bool, error) { return source.HasCommit(ctx, commit) })
	if err != nil {
		return false, fmt.Errorf("asking %s: %w", q.what, err)
	}
	return has, nil
}

// identify compares the repository's ID with the pinned one. At first contact it writes the ID
// into the ledger before it asks anything else. A name may lead to another repository after a
// transfer, or when somebody takes over the name.
func (r ownRepository) identify(ctx context.Context, w *work, t *turn) error {
	if w.identified {
		return nil
	}
	source := r.source(w)
	q := question{what: "the number of " + w.bg.Spec.Repository}
	id, err := ask(ctx, t, q, source.RepositoryID)
	if err != nil {
		return fmt.Errorf("asking for the number of %s: %w", w.bg.Spec.Repository, err)
	}
	first := id
	if pin := w.bg.Pinned(); pin != nil {
		first = pin.ID // recorded before the ledger existed
	}
	met, err := r.ledger.Meet(ctx, w.bg.Namespace, w.bg.Spec.Repository, first)
	if err != nil {
		return err
	}
	pin := w.bg.Pinned()
	if pin == nil || pin.ID != met {
		pin = r.pin(w, met)
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

// pin copies the ledger's content to the application's status.
func (r ownRepository) pin(w *work, id int64) *v1alpha1.RepositoryPin {
	w.bg.Status.Repository = &v1alpha1.RepositoryPin{Name: w.bg.Spec.Repository, ID: id, At: metav1.NewTime(w.o.Now)}
	return w.bg.Status.Repository
}

// source is the source of the current application.
func (r ownRepository) source(w *work) ownSource {
	return ownSource{r.remote, w.bg.Spec.Repository, w.barred}
}

// pushLag is how long after a push the repository may not have its commit yet.
const pushLag = time.Minute

// missesCommit is the error if the repository lacks the release's commit, since a person can
// request any hash; nil if the repository has it.
func (r ownRepository) missesCommit(ctx context.Context, a *attempt) error {
	what := a.rel.Spec.Deploy
	has, err := r.hasCommit(ctx, a.work, a.turn, what.Commit)
	switch {
	case err != nil:
		return err
	case has:
		return nil
	case a.rel.Spec.Cause.Kind == v1alpha1.CausePush && a.o.Now.Sub(a.rel.CreationTimestamp.Time) < pushLag:
		return fmt.Errorf("%s does not have the pushed commit %s yet", a.bg.Spec.Repository, v1alpha1.ShortCommit(what.Commit))
	}
	return releaseFault(v1alpha1.FailedNoCommit, "%s has no commit %s: check the hash, or push the commit there, then release it again",
		a.bg.Spec.Repository, what.Commit)
}
