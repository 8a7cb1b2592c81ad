package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// execute decides a permitted command and carries the decision out.
func (in *Inbox) execute(ctx context.Context, r responder, command Command, apps []v1alpha1.BlueGreen, delivery string) error {
	pr, err := in.pullRequest(ctx, r.comment, command)
	if err != nil {
		return err
	}
	which, refusal := meant(apps, pr, command)
	if refusal != nil {
		return r.refuse(ctx, *refusal)
	}
	var answers []string
	for i := range which {
		s, err := in.situation(ctx, r.comment, command, pr, which[i], delivery)
		if err != nil {
			return err
		}
		s.Applications = apps
		d := Decide(s)
		if !command.Verb.onlyReads() {
			return in.carryOut(ctx, r, s, d)
		}
		answers = append(answers, d.Answer)
	}
	if command.Verb == Help {
		answers = append(answers, commandList(r.comment.Repository, len(apps) > 1))
	}
	return r.answer(ctx, strings.Join(answers, "\n\n"), reactionDone)
}

// pullRequest reads the pull request that a command was written on, if the
// command is about it.
func (in *Inbox) pullRequest(ctx context.Context, c Comment, command Command) (PullRequest, error) {
	if !command.Verb.aboutCommit() {
		return PullRequest{Number: c.PullRequest}, nil
	}
	return in.GitHub.PullRequest(ctx, c.Repository, c.PullRequest)
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
	compares := command.Verb == Promote || command.Verb == Retry || command.Verb == Rollback
	if !compares || !pr.Merged {
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
func (in *Inbox) carryOut(ctx context.Context, r responder, s Situation, d Decision) error {
	app := key(s.App.Namespace, s.App.Name)
	switch {
	case d.Refuse != nil:
		return r.refuse(ctx, *d.Refuse)
	case d.Submit != nil:
		return in.submit(ctx, r, d)
	case d.Approve != nil:
		err := in.Record.Approve(ctx, key(app.Namespace, d.Approve.Release), d.Approve.Approval)
		return in.written(ctx, r, err, "approving "+d.Approve.Release, d.Note)
	case d.Cancel != nil:
		err := in.Record.Cancel(ctx, key(app.Namespace, d.Cancel.Release), d.Cancel.Cancel)
		return in.written(ctx, r, err, "cancelling "+d.Cancel.Release, d.Note)
	case d.Lock != nil:
		err := in.Record.Lock(ctx, app, *d.Lock)
		if errors.Is(err, ErrSet) {
			return in.lockedMeanwhile(ctx, r, s)
		}
		return in.written(ctx, r, err, "locking "+app.String(), d.Note)
	case d.Unlock != nil:
		was, err := in.Record.Unlock(ctx, app)
		if err == nil && was == nil {
			return r.answer(ctx, code(app.Name)+" was unlocked by somebody else just now. Nothing was changed.", reactionNothing)
		}
		note := ""
		if was != nil { // it may be another one by now
			note = s.unlocked(was)
		}
		return in.written(ctx, r, err, "unlocking "+app.String(), note)
	}
	return r.answer(ctx, d.Answer, reactionNothing)
}

// submit stores the release that a command asks for.
func (in *Inbox) submit(ctx context.Context, r responder, d Decision) error {
	rel := d.Submit
	stored, created, err := in.Record.Submit(ctx, rel)
	if errors.Is(err, ErrIdentity) || err == nil && !created && stored.Spec.Kind == v1alpha1.Rollback {
		return r.answer(ctx, "That was asked before: "+code(rel.Name)+" does it. Nothing was changed.", reactionNothing)
	}
	if err != nil {
		return fmt.Errorf("submitting %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	in.Log.InfoContext(ctx, "release submitted", "release", rel.Name, "namespace", rel.Namespace, "created", created, "by", r.comment.Author.Login)
	if !created && rel.Spec.Approval != nil && stored.Spec.Approval == nil {
		// Its push was read in the meantime, and knows nothing of an approval.
		err := in.Record.Approve(ctx, key(rel.Namespace, rel.Name), *rel.Spec.Approval)
		return in.written(ctx, r, err, "approving "+rel.Name, d.Note)
	}
	if !created {
		return r.answer(ctx, "That was asked before: "+code(rel.Name)+" does it. Nothing was changed.", reactionNothing)
	}
	return r.accepted(ctx, d.Note) // the publisher reacts when it has ended
}

// lockedMeanwhile answers a /lock that was overtaken by another one.
func (in *Inbox) lockedMeanwhile(ctx context.Context, r responder, s Situation) error {
	app, err := in.Record.Application(ctx, key(s.App.Namespace, s.App.Name))
	if err != nil {
		return fmt.Errorf("reading who locked %s/%s: %w", s.App.Namespace, s.App.Name, err)
	}
	text := code(s.App.Name) + " was locked by somebody else, and unlocked again, just now. Nothing was changed."
	if l := app.Status.Lock; l != nil {
		text = s.lockedAlready(l)
	}
	return r.answer(ctx, text, reactionNothing)
}

// written answers a command that was one write.
func (in *Inbox) written(ctx context.Context, r responder, err error, what, note string) error {
	switch {
	case errors.Is(err, ErrSet): // somebody was faster, or this is a second delivery
		return r.answer(ctx, "That was asked before. Nothing was changed.", reactionNothing)
	case errors.Is(err, ErrNotFound):
		return r.refuse(ctx, Refuse{Reason: "It is gone from the record.", NextMove: "`/status` says what is live."})
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	}
	in.Log.InfoContext(ctx, "command executed", "what", what, "by", r.comment.Author.Login)
	r.react(ctx, reactionDone)
	return r.accepted(ctx, note)
}
