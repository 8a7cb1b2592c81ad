package bot

import (
	"context"
	"errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// Submitter is the part of a [Record] that [Submit] needs.
type Submitter interface {
	Submit(ctx context.Context, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error)
}

// Submit stores a release. If its name is taken by another one, it stores it as the next
// attempt. So whoever may write releases can take names, but cannot block a push or a
// rollback.
func Submit(ctx context.Context, to Submitter, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error) {
	for {
		stored, created, err = to.Submit(ctx, rel)
		if !errors.Is(err, ErrIdentity) {
			return stored, created, err
		}
		rel = rel.DeepCopy()
		attempt := int32(0)
		switch d, back, c := rel.Spec.Deploy, rel.Spec.Rollback, rel.Spec.Contract; {
		case c != nil:
			c.Attempt++
			attempt, rel.Name = c.Attempt, v1alpha1.ContractName(rel.Spec.Application, c.Commit, c.Attempt)
		case d != nil:
			d.Attempt++
			attempt, rel.Name = d.Attempt, v1alpha1.DeployName(rel.Spec.Application, d.Commit, d.Attempt)
		case back != nil:
			back.Attempt++
			attempt, rel.Name = back.Attempt, v1alpha1.RollbackName(rel.Spec.Application, back.Switch, back.Attempt)
		}
		if attempt == 0 || attempt > command.MaxAttempt {
			return stored, created, err
		}
	}
}
