package deployer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// vet finds out which of the waiting deploys are of the application's branch. It
// comes before they are ordered: a commit of no branch must not take the place of
// one that was merged. One that cannot be asked about waits, and is left out.
func (w *work) vet(ctx context.Context, deploys []*v1alpha1.Release) ([]*v1alpha1.Release, error) {
	var vetted []*v1alpha1.Release
	for _, rel := range deploys {
		if rel.Status.Build != nil || rel.Status.Milestones.OnBranch != nil {
			vetted = append(vetted, rel)
			continue
		}
		ok, err := w.vetOne(ctx, w.attempt(rel))
		if err != nil {
			return nil, err
		}
		if ok {
			vetted = append(vetted, rel)
		}
	}
	return vetted, nil
}

// vetOne asks about one release. The build step's deadline runs from the first
// question that gets no answer.
func (w *work) vetOne(ctx context.Context, a *attempt) (bool, error) {
	a.attest(ctx)
	a.turn = a.turnOf(v1alpha1.StepBuild)
	until, why := a.turn.held(a.o.Now)
	var err error
	if why != nil {
		err = why
	} else {
		err = a.onBranch(ctx)
		if asked := pending(err); asked != nil {
			w.wakeAt(asked.pause(a.o.Now).until)
			return false, nil
		}
		until = a.turn.settle(a.o.Now, err)
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		return false, w.end(ctx, a.rel, f)
	case err != nil && ctx.Err() != nil:
		return false, err
	case err != nil:
		a.enter(v1alpha1.StepBuild)
		waits := a.tryAgain(v1alpha1.StepBuild, err, until)
		if !waits {
			if err := a.save(ctx); err != nil {
				return false, err
			}
			return false, w.drive(ctx, a.rel, anyStep)
		}
		a.rel.Status.Phase = v1alpha1.ReleaseQueued
		return false, a.save(ctx)
	}
	if st := &a.rel.Status; a.underWay() { // nothing was built yet: the step begins when it is this one's turn
		st.Timeline, st.Step = st.Timeline[:len(st.Timeline)-1], ""
	}
	return true, a.save(ctx)
}

// onBranch makes sure, once, that the commit is of the application's branch: a
// repository serves every commit of its forks and unmerged pull requests, too. A
// push that came signed is its own evidence.
func (a *attempt) onBranch(ctx context.Context) error {
	m, what, branch := &a.rel.Status.Milestones, a.rel.Spec.Deploy, a.bg.Spec.Branch
	if m.OnBranch != nil {
		return nil
	}
	by := v1alpha1.BranchByPush
	signed := a.rel.Spec.Cause.Kind == v1alpha1.CausePush && a.rel.Status.Attestation == v1alpha1.CausesAttested
	if !signed || what.Branch != branch {
		by = v1alpha1.BranchByRepository
		if err := a.identify(ctx, a.turn); err != nil {
			return err
		}
		source, commit := a.source(), what.Commit
		q := question{
			what:  fmt.Sprintf("whether branch %s contains %s", branch, v1alpha1.ShortCommit(commit)),
			about: a.bg.Spec.Repository + " " + commit,
		}
		contains, err := ask(ctx, a.turn, q, func(ctx context.Context) (bool, error) { return source.BranchContains(ctx, branch, commit) })
		if errors.Is(err, fs.ErrNotExist) {
			if missing := a.missesCommit(ctx); missing != nil {
				return missing
			}
		}
		if err != nil {
			return fmt.Errorf("asking whether branch %s of %s contains %s: %w", branch, a.bg.Spec.Repository, v1alpha1.ShortCommit(what.Commit), err)
		}
		if !contains {
			return releaseFault(v1alpha1.FailedNotOnBranch,
				"branch %s of %s does not contain %s: merge it there, which releases it; or name its branch in spec.branch of bluegreen %s",
				branch, a.bg.Spec.Repository, v1alpha1.ShortCommit(what.Commit), a.bg.Name)
		}
	}
	m.OnBranch = &v1alpha1.OnBranchMilestone{Branch: branch, By: by, At: metav1.NewTime(a.o.Now)}
	return nil
}

// mayBuild reports whether a build may be started or followed now. Without the
// grant it waits: nothing is asked, started or used.
func (a *attempt) mayBuild(ctx context.Context) (pause, error) {
	if a.barred == nil && a.rel.Status.Build == nil {
		if err := a.identify(ctx, a.turn); err != nil && a.barred == nil {
			return pause{}, err
		}
	}
	if a.barred != nil { // which is what the error says, too
		p := waitsBecause(a.barred)
		p.until = a.o.Now.Add(lookAtErrors)
		return p, nil //nolint:nilerr // a wait, not a failure
	}
	return pause{}, a.onBranch(ctx)
}

// identify compares the repository with the one that was first met, by its number;
// at first contact it notes that, in the ledger, before anything else is asked. A
// name may lead to another repository after a transfer, or when somebody takes over
// the name.
func (w *work) identify(ctx context.Context, t *turn) error {
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
		first = pin.ID // noted before there was a ledger
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
		w.barred = another(w.bg, w.granted)
		return w.barred
	}
	w.identified = true
	return nil
}

// pin shows in the application's status what the ledger has.
func (w *work) pin(id int64) *v1alpha1.RepositoryPin {
	w.bg.Status.Repository = &v1alpha1.RepositoryPin{Name: w.bg.Spec.Repository, ID: id, At: metav1.NewTime(w.o.Now)}
	return w.bg.Status.Repository
}

// repin does what a cluster administrator wrote on the Namespace. Nobody who is to
// be brought back waits for it.
func (w *work) repin(ctx context.Context, granted v1alpha1.Grants) {
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

// comesBack is the turn in which it is asked whether the repository that was first met
// has its name again: after a transfer that was taken back, or when whoever took the
// name over is gone.
const comesBack = v1alpha1.Step("repository")

// meetAgain asks that while a deploy waits for it, later and later. Nothing but the
// number is asked of what has the name meanwhile.
func (w *work) meetAgain(ctx context.Context, granted v1alpha1.Grants) error {
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

// another is the obstacle of a repository that is not the one that was first met.
func another(bg *v1alpha1.BlueGreen, granted v1alpha1.Grants) *obstacle {
	pin := bg.Pinned()
	if pin == nil || pin.Found == 0 {
		return nil
	}
	return hinders(v1alpha1.ReasonRepositoryChanged, fmt.Sprintf(
		"%s is another repository since it was first met: it had number %d then, and has %d now; if that is right, a cluster administrator "+
			"pins it again, in %s of the namespace",
		bg.Spec.Repository, pin.ID, pin.Found, v1alpha1.RepinAnnotation), granted.Repin(bg.Namespace, bg.Spec.Repository, pin.Found))
}
