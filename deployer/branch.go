package deployer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// branch decides whether a release may build.
type branch struct {
	repository ownRepository
}

// onBranch makes sure, once, that the commit is on the application's branch, since a repository
// also serves every commit of its forks and unmerged pull requests. A signed push is its own
// evidence.
func (b branch) onBranch(ctx context.Context, a *attempt) error {
	m, what, branch := &a.rel.Status.Milestones, a.rel.Spec.Deploy, a.bg.Spec.Branch
	if m.OnBranch != nil {
		return nil
	}
	by := v1alpha1.BranchByPush
	if !signedPush(a) {
		by = v1alpha1.BranchByRepository
		if err := b.repository.identify(ctx, a.work, a.turn); err != nil {
			return err
		}
		source, commit := b.repository.source(a.work), what.Commit
		q := question{
			what:  fmt.Sprintf("whether branch %s contains %s", branch, v1alpha1.ShortCommit(commit)),
			about: a.bg.Spec.Repository + " " + commit,
		}
		contains, err := ask(ctx, a.turn, q, func(ctx context.Context) (bool, error) { return source.BranchContains(ctx, branch, commit) })
		if errors.Is(err, fs.ErrNotExist) {
			if missing := b.repository.missesCommit(ctx, a); missing != nil {
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

// signedPush reports whether GitHub itself said that the commit is on the application's branch.
func signedPush(a *attempt) bool {
	return a.rel.Spec.Cause.Kind == v1alpha1.CausePush && a.rel.Status.Attestation == v1alpha1.CausesAttested &&
		a.rel.Spec.Deploy.Branch == a.bg.Spec.Branch
}

// mayBuild reports whether a build may start or continue now. Without the grant it waits, and
// nothing is called.
func (b branch) mayBuild(ctx context.Context, a *attempt) (pause, error) {
	if a.barred == nil && a.rel.Status.Build == nil {
		if err := b.repository.identify(ctx, a.work, a.turn); err != nil && a.barred == nil {
			return pause{}, err
		}
	}
	if a.barred != nil { // same as the error
		p := waitsBecause(a.barred)
		p.until = a.o.Now.Add(lookAtErrors)
		return p, nil //nolint:nilerr // a wait, not a failure
	}
	return pause{}, b.onBranch(ctx, a)
}
