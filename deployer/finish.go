package deployer

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// finishing ends a release whose track has ended.
type finishing struct {
	recorder
	repository ownRepository
	turns      turns
	ending     ending
	status     appStatus
	observer   Observer
}

// finish sets the final phase and releases the claim.
func (f finishing) finish(ctx context.Context, a *attempt) error {
	a.turn = f.turns.turnOf(a, "")
	if w := pending(f.leaveBehind(ctx, a)); w != nil && !a.rollbackWaits() {
		a.wakeAt(w.pause(a.o.Now).until)
		return f.save(ctx, a)
	}
	tellSingletons(a)
	st := &a.rel.Status
	now := metav1.NewTime(a.o.Now)
	st.FinishedAt = &now
	phase, message := track.Outcome(a.rel)
	st.Phase, st.Message = phase, message
	st.Commands, st.Waiting = nil, nil // st.Failure has those of a failure
	st.Step = ""
	f.ending.leave(a)
	notePending(a)
	noteOwed(a)
	if err := f.status.saveApplication(ctx, a.work); err != nil {
		return err
	}
	if err := f.conclude(ctx, a); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "release finished", "phase", phase, "message", message)
	if f.observer != nil {
		f.observer.ReleaseEnded(client.ObjectKeyFromObject(a.bg), a.rel.Spec.Kind, st.Phase)
	}
	return nil
}

// leaveBehind forgets the rolled-back commits that a successful deploy contains. A person
// approved it, so they need not delay the next deploy. A commit with an unknown answer is kept,
// which costs one more approval. The error means that an answer is still pending.
func (f finishing) leaveBehind(ctx context.Context, a *attempt) error {
	if a.rel.Spec.Kind != v1alpha1.Deploy || a.rel.Status.Failure != nil {
		return nil
	}
	st, what := &a.bg.Status, a.rel.Spec.Deploy
	var kept []v1alpha1.RolledBack
	var waits error
	for _, left := range st.RolledBack {
		contains, err := f.repository.contains(ctx, a.work, a.turn, what.Commit, left.Commit)
		switch {
		case pending(err) != nil:
			waits, a.turn.wait = err, 0 // ask about all in parallel
		case err != nil:
			a.log.WarnContext(ctx, "a rolled-back commit stays remembered", "commit", left.Commit, "error", err)
		case contains:
			continue
		}
		kept = append(kept, left)
	}
	if waits == nil {
		st.RolledBack = kept
	}
	return waits
}
