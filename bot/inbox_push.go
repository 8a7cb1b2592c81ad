package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// push submits a Deploy of every application that is released from the branch. It does not
// call GitHub, so an outage of GitHub delays nothing here. If one write fails, it still
// tries the others; the next attempt finds what was submitted.
func (in *Inbox) push(ctx context.Context, d *v1alpha1.Delivery) error {
	p := d.Spec.Push
	apps, err := in.Record.Applications(ctx, d.Spec.Repository, d.Spec.RepositoryID)
	if err != nil {
		return fmt.Errorf("reading the applications of %s: %w", d.Spec.Repository, err)
	}
	var errs []error
	for i := range apps {
		if apps[i].Spec.Branch != p.Branch {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("submitting the releases of a push: %w", err)
		}
		cause := v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: p.Actor, URL: p.URL, Delivery: d.Spec.Delivery, Before: p.Before}
		errs = append(errs, in.submitPush(ctx, &apps[i], p.Commit, cause))
	}
	return errors.Join(errs...)
}

// submitPush submits the first attempt of a commit. If one exists, running or finished, it
// does nothing: only a person asks for another attempt.
func (in *Inbox) submitPush(ctx context.Context, app *v1alpha1.BlueGreen, commit string, cause v1alpha1.Cause) error {
	rel := command.NewDeploy(app, commit, 1, cause)
	_, created, err := Submit(ctx, in.Record, rel)
	if errors.Is(err, ErrIdentity) {
		// Other releases have all possible names. Trying again will not help; the operator
		// must look.
		in.Log.ErrorContext(ctx, "other releases have all names for a push", "release", rel.Name, "namespace", rel.Namespace, "commit", commit)
		return nil
	}
	if errors.Is(err, ErrNotFound) {
		return nil // the application was deleted
	}
	if err != nil {
		return fmt.Errorf("submitting %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	in.Log.InfoContext(ctx, "release submitted", "release", rel.Name, "namespace", rel.Namespace, "commit", commit, "created", created)
	return nil
}
