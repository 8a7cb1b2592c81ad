package bot

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubapp"
)

// comment executes the command of a comment, if it has one and its author may give it.
// Cheap checks come first: whether there is an application, and what the author may do.
// Then comes the parser, for strangers only within their quota; people who may give
// commands have none.
func (in *Inbox) comment(ctx context.Context, d *v1alpha1.Delivery) error {
	c := d.Spec.Comment
	apps, err := in.Record.Applications(ctx, d.Spec.Repository, d.Spec.RepositoryID)
	if err != nil {
		return fmt.Errorf("reading the applications of %s: %w", d.Spec.Repository, err)
	}
	if len(apps) == 0 {
		return nil // the grant was removed: no request to GitHub
	}
	has, now, err := in.permissions.ask(ctx, in.GitHub, d.Spec.Repository, c.Author)
	if err != nil {
		return err
	}
	if !githubapp.MayWrite(has) && !in.quotas.take(d) {
		in.Log.InfoContext(ctx, "comment not answered: its author has had enough answers", "name", d.Name, "author", c.Author)
		return nil
	}
	r := &responder{in: in, d: d, eyes: d.Status.Attempts > 1}
	defer r.settle()
	if c.TooLong {
		return in.tooLong(ctx, r, has)
	}
	typed, err := command.Parse(c.Body)
	if near := (*command.NearMiss)(nil); errors.As(err, &near) {
		return in.suggest(ctx, r, near, has)
	}
	if usage := (*command.UsageError)(nil); errors.As(err, &usage) {
		return r.refuse(ctx, usage.Fact)
	}
	if err != nil {
		return err
	}
	if typed == nil {
		return nil
	}
	if !now && !typed.Verb.OnlyReads() {
		if has, err = in.GitHub.Permission(ctx, d.Spec.Repository, c.Author); err != nil {
			return err
		}
	}
	allowed, err := in.permit(ctx, r, *typed, has)
	if err != nil || !allowed {
		return err
	}
	return in.execute(ctx, r, typed.Settle(apps), apps)
}

// tooLong answers a long comment, if its author may give commands.
func (in *Inbox) tooLong(ctx context.Context, r *responder, has string) error {
	if !githubapp.MayWrite(has) {
		return nil
	}
	return r.refuse(ctx, command.TooLong)
}

// suggest answers a mistyped command with the one that may be meant, if its author may give
// commands and it is not late. Otherwise the line may be for another bot.
func (in *Inbox) suggest(ctx context.Context, r *responder, near *command.NearMiss, has string) error {
	if !githubapp.MayWrite(has) || r.d.Spec.ReceivedAt.Sub(r.comment().WrittenAt.Time) > command.Patience {
		return nil
	}
	return r.refuse(ctx, near.Fact())
}

// permit decides by what the author may do now, not by the cache. A command that only reads
// needs no permission: whoever may comment may also read the answer.
func (in *Inbox) permit(ctx context.Context, r *responder, typed command.Command, has string) (bool, error) {
	if typed.Verb.OnlyReads() {
		return true, nil
	}
	if githubapp.MayWrite(has) {
		r.seen(ctx)
		return true, nil
	}
	return false, r.refuse(ctx, command.Fact{
		Code: command.CodeForbidden, Args: command.Args{Repository: r.d.Spec.Repository, Permission: has, Next: []command.Command{typed}},
	})
}
