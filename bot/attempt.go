package bot

import (
	"context"
	"errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// maxAttempt is the highest number of an attempt that is given: names with it fit the
// 63 characters of a label.
const maxAttempt = 99

// attemptAfter is the number of the next attempt: the one after the last, or the first
// that is free if the last is one that nobody comes to by trying.
func attemptAfter(last int32, used map[int32]bool) int32 {
	next := last + 1
	if last >= maxAttempt {
		next = 1
	}
	for next < maxAttempt && used[next] {
		next++
	}
	return next
}

// nextDeploy is the number of the attempt after a deploy.
func (s Situation) nextDeploy(after *v1alpha1.Release) int32 {
	used := map[int32]bool{}
	for i := range s.Releases {
		if d := s.Releases[i].Spec.Deploy; d != nil && d.Commit == after.Spec.Deploy.Commit {
			used[d.Attempt] = true
		}
	}
	return attemptAfter(after.Spec.Deploy.Attempt, used)
}

// Submitter is the part of a [Record] that [Submit] needs.
type Submitter interface {
	Submit(ctx context.Context, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error)
}

// Submit stores a release. Where another one has its name, which whoever may write
// releases can see to, it is stored as the next attempt: nobody keeps a push or a
// rollback away by taking names.
func Submit(ctx context.Context, to Submitter, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error) {
	for {
		stored, created, err = to.Submit(ctx, rel)
		if !errors.Is(err, ErrIdentity) {
			return stored, created, err
		}
		rel = rel.DeepCopy()
		attempt := int32(0)
		switch d, back := rel.Spec.Deploy, rel.Spec.Rollback; {
		case d != nil:
			d.Attempt++
			attempt, rel.Name = d.Attempt, v1alpha1.DeployName(rel.Spec.Application, d.Commit, d.Attempt)
		case back != nil:
			back.Attempt++
			attempt, rel.Name = back.Attempt, v1alpha1.RollbackName(rel.Spec.Application, back.Switch, back.Attempt)
		}
		if attempt == 0 || attempt > maxAttempt {
			return stored, created, err
		}
	}
}
