package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Inbox makes events durable: a push becomes a Deploy, a command becomes a
// release, an approval or a cancel, or is answered. The webhook and the sweep
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
		cause := v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: p.Actor, URL: p.URL, Delivery: delivery}
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
	mistyped := (*UsageError)(nil)
	if (command == nil && !errors.As(err, &mistyped)) || !in.listens(c) {
		return nil
	}
	apps, err := in.Record.Applications(ctx, c.Repository)
	if err != nil {
		return fmt.Errorf("reading the applications of %s: %w", c.Repository, err)
	}
	if len(apps) == 0 {
		return nil // not granted, or not ours: not a word to GitHub
	}
	r := responder{in.GitHub, in.Log, c}
	r.seen(ctx)
	if mistyped != nil {
		return r.refuse(ctx, Refuse{Reason: mistyped.Error()})
	}
	allowed, err := in.permit(ctx, r, *command)
	if err != nil || !allowed {
		return err
	}
	return in.execute(ctx, r, *command, apps, delivery)
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

// permit asks GitHub what the author may do now; /status needs no more than
// having been able to comment where the answer is read by the same people.
func (in *Inbox) permit(ctx context.Context, r responder, command Command) (bool, error) {
	if command.Verb == Status {
		return true, nil
	}
	has, err := in.GitHub.Permission(ctx, r.comment.Repository, r.comment.Author.Login)
	if err != nil {
		return false, err
	}
	if has == permissionWrite || has == permissionAdmin {
		return true, nil
	}
	return false, r.refuse(ctx, Refuse{
		Reason:   fmt.Sprintf("`%s` needs the permission *write* in %s, and you have *%s*.", command, plain(r.comment.Repository), plain(has)),
		NextMove: "Ask somebody who has it to type the command, or a repository administrator for the permission.",
	})
}

// execute decides a permitted command and carries the decision out.
func (in *Inbox) execute(ctx context.Context, r responder, command Command, apps []v1alpha1.BlueGreen, delivery string) error {
	pr, err := in.GitHub.PullRequest(ctx, r.comment.Repository, r.comment.PullRequest)
	if err != nil {
		return err
	}
	meant := concerned(apps, pr, command)
	if len(meant) > 1 && command.Verb != Status {
		return r.refuse(ctx, ambiguous(meant))
	}
	var answers []string
	for i := range meant {
		s, err := in.situation(ctx, r.comment, command, pr, meant[i], delivery)
		if err != nil {
			return err
		}
		d := Decide(s)
		if command.Verb == Status && d.Answer != "" {
			answers = append(answers, d.Answer)
			continue
		}
		return in.carryOut(ctx, r, &meant[i], d)
	}
	return r.answer(ctx, strings.Join(answers, "\n\n"), reactionDone)
}

// concerned narrows the applications of a repository to those that a command can
// mean: a rollback with a commit, those where that commit is live, on whatever
// pull request it is written; else those that the pull request's branch
// releases. If there is none, all of them are asked, which refuse with what to
// do instead.
func concerned(apps []v1alpha1.BlueGreen, pr PullRequest, command Command) []v1alpha1.BlueGreen {
	if command.Verb == Status {
		return apps
	}
	var live, branch []v1alpha1.BlueGreen
	for _, app := range apps {
		if l := app.Status.Live; l != nil && command.Commit != "" && strings.HasPrefix(l.Commit, command.Commit) {
			live = append(live, app)
		}
		if app.Spec.Branch == pr.Base {
			branch = append(branch, app)
		}
	}
	switch {
	case command.Verb == Rollback && len(live) > 0:
		return live
	case len(branch) > 0:
		return branch
	}
	return apps
}

func ambiguous(apps []v1alpha1.BlueGreen) Refuse {
	var names []string
	for _, app := range apps {
		names = append(names, code(app.Name)+" in "+code(app.Namespace))
	}
	slices.Sort(names)
	return Refuse{
		Reason:   "Several applications are released from this repository, and the command does not say which: " + strings.Join(names, ", ") + ".",
		NextMove: "Nothing was changed. `/status` shows each of them.",
	}
}

// situation reads what a command is judged by.
func (in *Inbox) situation(ctx context.Context, c Comment, command Command, pr PullRequest, app v1alpha1.BlueGreen, delivery string) (Situation, error) {
	// The list that the application was found in may lag behind a switch.
	now, err := in.Record.Application(ctx, key(app.Namespace, app.Name))
	if err != nil {
		return Situation{}, fmt.Errorf("reading the application %s/%s: %w", app.Namespace, app.Name, err)
	}
	app = *now
	releases, err := in.Record.Releases(ctx, key(app.Namespace, app.Name))
	if err != nil {
		return Situation{}, fmt.Errorf("listing the releases of %s/%s: %w", app.Namespace, app.Name, err)
	}
	s := Situation{
		Command: command, PullRequest: pr, By: c.Author.Login, Asked: c.WrittenAt, Now: time.Now(), App: app, Releases: releases,
		Cause: v1alpha1.Cause{
			Kind: v1alpha1.CauseComment, Actor: c.Author.Login, PullRequest: c.PullRequest, CommentID: c.ID, URL: c.URL, Delivery: delivery,
		},
	}
	if command.Verb == Status || !pr.Merged {
		return s, nil
	}
	if live := app.Status.Live; live != nil {
		if s.AgainstLive, err = in.GitHub.Order(ctx, c.Repository, pr.MergeCommit, live.Commit); err != nil {
			return Situation{}, err
		}
	}
	if previous := app.Status.Previous; previous != nil && command.Verb == Rollback && s.AgainstLive == OrderOlder {
		s.AgainstPrevious, err = in.GitHub.Order(ctx, c.Repository, pr.MergeCommit, previous.Commit)
	}
	return s, err
}

// carryOut makes a decision durable, then says so.
func (in *Inbox) carryOut(ctx context.Context, r responder, app *v1alpha1.BlueGreen, d Decision) error {
	log := in.Log.With("namespace", app.Namespace, "application", app.Name, "by", r.comment.Author.Login)
	switch {
	case d.Refuse != nil:
		return r.refuse(ctx, *d.Refuse)
	case d.Submit != nil:
		stored, created, err := in.Record.Submit(ctx, d.Submit)
		if errors.Is(err, ErrIdentity) || (err == nil && !created && stored.Spec.Kind == v1alpha1.Rollback) {
			return r.answer(ctx, "That was asked before: "+code(d.Submit.Name)+" does it. Nothing was changed.", reactionNothing)
		}
		if err != nil {
			return fmt.Errorf("submitting %s/%s: %w", d.Submit.Namespace, d.Submit.Name, err)
		}
		log.InfoContext(ctx, "release submitted", "release", d.Submit.Name, "created", created)
		return r.accepted(ctx, d.Note) // the publisher reacts when it has ended
	case d.Approve != nil:
		err := in.Record.Approve(ctx, key(app.Namespace, d.Approve.Release), d.Approve.Approval)
		return in.written(ctx, r, err, "approving "+d.Approve.Release, d.Note)
	case d.Cancel != nil:
		err := in.Record.Cancel(ctx, key(app.Namespace, d.Cancel.Release), d.Cancel.Cancel)
		return in.written(ctx, r, err, "cancelling "+d.Cancel.Release, d.Note)
	}
	return r.answer(ctx, d.Answer, reactionNothing)
}

// written answers a command that was one write.
func (in *Inbox) written(ctx context.Context, r responder, err error, what, note string) error {
	switch {
	case errors.Is(err, ErrSet): // somebody was faster, or this is a second delivery
		return r.answer(ctx, "That was asked before. Nothing was changed.", reactionNothing)
	case errors.Is(err, ErrNotFound):
		return r.refuse(ctx, Refuse{Reason: "The release is gone.", NextMove: "`/status` says what is live."})
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	}
	in.Log.InfoContext(ctx, "command executed", "what", what, "by", r.comment.Author.Login)
	r.react(ctx, reactionDone)
	return r.accepted(ctx, note)
}
