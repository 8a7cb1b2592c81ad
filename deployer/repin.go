package deployer

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// repinning finds out whether a repository that lost its name is back, or another one may take
// its place.
type repinning struct {
	repository ownRepository
	ledger     interface {
		Repin(ctx context.Context, namespace, name string, id int64) error
	}
	calls *calls
}

// repin carries out what a cluster administrator wrote on the Namespace. A rollback does not wait
// for it.
func (r repinning) repin(ctx context.Context, w *work, granted v1alpha1.Grants) {
	pin, id := w.bg.Pinned(), granted.RepinnedTo(w.bg.Spec.Repository)
	if id == 0 || pin != nil && pin.ID == id {
		return
	}
	if err := r.ledger.Repin(ctx, w.bg.Namespace, w.bg.Spec.Repository, id); err != nil {
		w.log.WarnContext(ctx, "the repository will be pinned again later", "repository", w.bg.Spec.Repository, "error", err)
		w.wakeAt(w.o.Now.Add(retryGrant))
		return
	}
	r.repository.pin(w, id)
}

// meetAgain asks for the ID again, at growing intervals, while a deploy waits for it. In the
// meantime it asks nothing else of the repository that has the name.
func (r repinning) meetAgain(ctx context.Context, w *work, granted v1alpha1.Grants) error {
	pin := w.bg.Pinned()
	deploys, _ := w.waiting(nil)
	if pin == nil || pin.Found == 0 || len(deploys) == 0 || len(granted.Missing(w.bg.Needs()...)) > 0 {
		return nil
	}
	t := r.calls.turn(client.ObjectKeyFromObject(w.bg), turnKey{step: comesBack}, patience)
	if until, why := t.held(w.o.Now); why != nil {
		w.wakeAt(until)
		return nil //nolint:nilerr // a wait, not a failure
	}
	source, first := r.repository.source(w), pin.ID
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
		w.log.InfoContext(ctx, "the pinned repository is not back", "repository", w.bg.Spec.Repository, "error", err)
	}
	return nil
}

// comesBack is the turn of the question whether the pinned repository has its name again, after a
// reverted transfer or because the repository in its place is gone.
const comesBack = v1alpha1.Step("repository")
