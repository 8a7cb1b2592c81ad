package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Inbox makes events durable: a push becomes a Deploy, a command becomes a
// release, an approval, a cancel or a lock, or is answered. The webhook and the sweep
// both end here, and the same event may come twice.
type Inbox struct {
	Record Record
	GitHub *GitHub
	// TrustedBots are the numeric ids of bots whose comments may be commands.
	TrustedBots []int64
	Log         *slog.Logger
}

// Handle makes an event durable. An error means that it is not: Kubernetes or
// GitHub did not answer, and the event must come again.
func (in *Inbox) Handle(ctx context.Context, e Event) error {
	switch {
	case e.Push != nil:
		return in.push(ctx, *e.Push, e.Delivery)
	case e.Comment != nil:
		return in.comment(ctx, *e.Comment, e.Delivery)
	}
	return nil
}

// push submits a Deploy to every application that is released from the branch.
// No call to GitHub is needed, so an outage of it delays nothing here.
func (in *Inbox) push(ctx context.Context, p Push, delivery string) error {
	apps, err := in.Record.Applications(ctx, p.Repository)
	if err != nil {
		return fmt.Errorf("reading the applications of %s: %w", p.Repository, err)
	}
	for i := range apps {
		if apps[i].Spec.Branch != p.Branch {
			continue
		}
		cause := v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: p.Actor, URL: p.URL, Delivery: delivery, Before: p.Before}
		if err := in.submitPush(ctx, &apps[i], p.Commit, cause); err != nil {
			return err
		}
	}
	return nil
}

// submitPush submits the first attempt of a commit. One that exists, running or
// finished, is joined: a further attempt needs a person.
func (in *Inbox) submitPush(ctx context.Context, app *v1alpha1.BlueGreen, commit string, cause v1alpha1.Cause) error {
	rel := NewDeploy(app, commit, 1, cause)
	_, created, err := in.Record.Submit(ctx, rel)
	if errors.Is(err, ErrIdentity) {
		// Two commits share their first 12 digits, or the name was taken by hand.
		// Asking again will not help; the operator has to look.
		in.Log.ErrorContext(ctx, "a push meets a release of another identity", "release", rel.Name, "namespace", rel.Namespace, "commit", commit)
		return nil
	}
	if err != nil {
		return fmt.Errorf("submitting %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	in.Log.InfoContext(ctx, "release submitted", "release", rel.Name, "namespace", rel.Namespace, "commit", commit, "created", created)
	return nil
}

// comment executes the command of a comment, if it has one and its author may.
func (in *Inbox) comment(ctx context.Context, c Comment, delivery string) error {
	command, err := ParseCommand(c.Body)
	if command == nil && err == nil || !in.listens(c) {
		return nil
	}
	apps, listErr := in.Record.Applications(ctx, c.Repository)
	if listErr != nil {
		return fmt.Errorf("reading the applications of %s: %w", c.Repository, listErr)
	}
	if len(apps) == 0 {
		return nil // not granted, or not ours: not a word to GitHub
	}
	r := responder{in.GitHub, in.Log, c}
	if near := (*NearMiss)(nil); errors.As(err, &near) {
		return in.suggest(ctx, r, near)
	}
	r.seen(ctx)
	if err != nil {
		return r.refuse(ctx, Refuse{Reason: err.Error()})
	}
	allowed, err := in.permit(ctx, r, *command)
	if err != nil || !allowed {
		return err
	}
	return in.execute(ctx, r, command.settle(apps), apps, delivery)
}

// suggest tells somebody who may give commands which one they may have meant.
// Nobody else hears of it, nor anybody late: the line may be for another bot.
func (in *Inbox) suggest(ctx context.Context, r responder, near *NearMiss) error {
	if time.Since(r.comment.WrittenAt) > patience {
		return nil
	}
	has, err := in.GitHub.Permission(ctx, r.comment.Repository, r.comment.Author.Login)
	if err != nil || !mayWrite(has) {
		return err
	}
	return r.refuse(ctx, Refuse{Reason: near.Error(), NextMove: "Nothing was done. `/help` lists the commands."})
}

// listens reports whether a comment's author is somebody whose commands count:
// who sent the event wrote the comment, and is a person or a trusted bot. A name
// that ends in [bot] is no proof of anything, anybody may make an App.
func (in *Inbox) listens(c Comment) bool {
	if c.Sender.ID == 0 || c.Sender.ID != c.Author.ID {
		return false
	}
	if c.Sender.Type == person && c.Author.Type == person {
		return true
	}
	return slices.Contains(in.TrustedBots, c.Sender.ID)
}

// permit asks GitHub what the author may do now; a command that only reads needs
// no more than having been able to comment where the answer is read by the same
// people.
func (in *Inbox) permit(ctx context.Context, r responder, command Command) (bool, error) {
	if command.Verb.onlyReads() {
		return true, nil
	}
	has, err := in.GitHub.Permission(ctx, r.comment.Repository, r.comment.Author.Login)
	if err != nil {
		return false, err
	}
	if mayWrite(has) {
		return true, nil
	}
	return false, r.refuse(ctx, Refuse{
		Reason:   fmt.Sprintf("%s needs the permission *write* in %s, and you have *%s*.", code(command.String()), plain(r.comment.Repository), plain(has)),
		NextMove: "Ask somebody who has it to type the command, or a repository administrator for the permission.",
	})
}

// mayWrite reports whether a permission is enough for a command that changes
// something.
func mayWrite(permission string) bool {
	return permission == permissionWrite || permission == permissionAdmin
}
