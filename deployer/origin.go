package deployer

import (
	"context"
	"errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// vetting determines which deploys are on the branch.
type vetting struct {
	recorder
	branch    branch
	attesting attesting
	turns     turns
	timing    timing
	driving   driving
	borders   borders
}

// vet returns those of the waiting deploys that are on the application's branch. It comes before
// they are ordered: a commit that is on no branch must not replace one that was merged. A deploy
// without an answer waits, and is left out.
func (v vetting) vet(ctx context.Context, w *work, deploys []*v1alpha1.Release) ([]*v1alpha1.Release, error) {
	var vetted []*v1alpha1.Release
	for _, rel := range deploys {
		if rel.Status.Build != nil || rel.Status.Milestones.OnBranch != nil {
			vetted = append(vetted, rel)
			continue
		}
		if a := w.attempt(rel.DeepCopy()); !a.underWay() {
			if v.attesting.attest(ctx, a); signedPush(a) { // the build records it
				vetted = append(vetted, rel)
				continue
			}
		}
		ok, err := v.vetOne(ctx, w, w.attempt(rel))
		if err != nil {
			return nil, err
		}
		if ok {
			vetted = append(vetted, rel)
		}
	}
	return vetted, nil
}

// vetOne asks about one release. The build step's deadline runs from the first unanswered
// question.
func (v vetting) vetOne(ctx context.Context, w *work, a *attempt) (bool, error) {
	v.attesting.attest(ctx, a)
	a.turn = v.turns.turnOf(a, v1alpha1.StepBuild)
	until, why := a.turn.held(a.o.Now)
	var err error
	if why != nil {
		err = why
	} else {
		err = v.branch.onBranch(ctx, a)
		if asked := pending(err); asked != nil {
			w.wakeAt(asked.pause(a.o.Now).until)
			return false, nil
		}
		until = a.turn.settle(a.o.Now, err)
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		return false, v.borders.end(ctx, w, a.rel, f)
	case err != nil && ctx.Err() != nil:
		return false, err
	case err != nil:
		v.timing.enter(a, v1alpha1.StepBuild)
		waits := v.timing.tryAgain(a, v1alpha1.StepBuild, err, until)
		if !waits {
			if err := v.save(ctx, a); err != nil {
				return false, err
			}
			return false, v.driving.drive(ctx, w, a.rel, anyStep)
		}
		a.rel.Status.Phase = v1alpha1.ReleaseQueued
		return false, v.save(ctx, a)
	}
	if st := &a.rel.Status; a.underWay() { // nothing was built yet: the step begins at this release's turn
		st.Timeline, st.Step = st.Timeline[:len(st.Timeline)-1], ""
	}
	return true, v.save(ctx, a)
}
