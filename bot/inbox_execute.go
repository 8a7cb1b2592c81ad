package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
)

// execute decides a permitted command and carries out the decision.
func (in *Inbox) execute(ctx context.Context, r *responder, typed command.Command, apps []v1alpha1.BlueGreen) error {
	pr, err := in.pullRequest(ctx, r.d, typed)
	if err != nil {
		return err
	}
	which, refusal := command.Meant(apps, pr, typed)
	if refusal != nil {
		return r.refuse(ctx, *refusal)
	}
	var answers []string
	for i := range which {
		s, err := in.situation(ctx, r.d, typed, pr, which[i])
		if newer := (*v1alpha1.NewerFormatError)(nil); errors.As(err, &newer) {
			said := command.Fact{Code: command.CodeNewerRecord, Args: command.Args{Application: which[i].Name}}
			if !typed.Verb.OnlyReads() {
				return r.refuse(ctx, said)
			}
			answers = append(answers, report.Say(said).String())
			continue
		}
		if err != nil {
			return err
		}
		s.Applications = apps
		d, err := decide(ctx, in.Record, s)
		if err != nil {
			return err
		}
		if !typed.Verb.OnlyReads() {
			return execution{in}.carryOut(ctx, r, s, d)
		}
		answers = append(answers, report.Say(d.Fact).Says)
	}
	more := ""
	if typed.Verb == command.Help {
		more = report.CommandList(r.d.Spec.Repository, len(apps) > 1)
	}
	if err := r.reply(ctx, report.Together(typed.Verb, which, apps, answers, more)); err != nil {
		return err
	}
	r.react(ctx, githubapp.ReactionDone)
	return nil
}

// decide decides a command. None does nothing because the cache lacks a release that has just been
// made.
func decide(ctx context.Context, from Record, s command.Situation) (command.Decision, error) {
	d := command.Decide(s)
	if d.Acts() || s.Command.Verb.OnlyReads() {
		return d, nil
	}
	var err error
	if s.Releases, err = from.Releases(ctx, key(s.App.Namespace, s.App.Name)); err != nil {
		return d, fmt.Errorf("listing the releases of %s/%s: %w", s.App.Namespace, s.App.Name, err)
	}
	return command.Decide(s), nil
}

// pullRequest reads the pull request of a command, if the command is about it.
func (in *Inbox) pullRequest(ctx context.Context, d *v1alpha1.Delivery, typed command.Command) (command.PullRequest, error) {
	number := d.Spec.Comment.PullRequest
	if !typed.Verb.AboutCommit() {
		return command.PullRequest{Number: number}, nil
	}
	return in.GitHub.PullRequest(ctx, d.Spec.Repository, number)
}

// situation reads what the decision depends on.
func (in *Inbox) situation(ctx context.Context, d *v1alpha1.Delivery, typed command.Command, pr command.PullRequest,
	app v1alpha1.BlueGreen) (command.Situation,
	error,
) {
	c, repository := d.Spec.Comment, d.Spec.Repository
	// The list with the application may lag behind a switch.
	now, err := in.Record.Application(ctx, key(app.Namespace, app.Name))
	if err != nil {
		return command.Situation{}, fmt.Errorf("reading the application %s/%s: %w", app.Namespace, app.Name, err)
	}
	app = *now
	releases, err := in.Record.Work(ctx, key(app.Namespace, app.Name))
	if err != nil {
		return command.Situation{}, fmt.Errorf("reading the releases of %s/%s: %w", app.Namespace, app.Name, err)
	}
	s := command.Situation{
		Command: typed, PullRequest: pr, By: c.Author, App: app, Releases: releases,
		Asked: c.WrittenAt.Time, Received: d.Spec.ReceivedAt.Time, Now: time.Now(),
		Cause: v1alpha1.Cause{
			Kind: v1alpha1.CauseComment, Actor: c.Author, PullRequest: c.PullRequest, CommentID: c.ID, URL: c.URL, Delivery: d.Spec.Delivery,
		},
	}
	compares := typed.Verb == command.Promote || typed.Verb == command.Retry || typed.Verb == command.Rollback
	if !compares || !pr.Merged {
		return s, nil
	}
	if live := app.Status.Live; live != nil {
		if s.AgainstLive, err = in.GitHub.Order(ctx, repository, pr.MergeCommit, live.Commit); err != nil {
			return command.Situation{}, err
		}
	}
	if previous := app.Status.Previous; previous != nil && typed.Verb == command.Rollback && s.AgainstLive == command.OrderOlder {
		s.AgainstPrevious, err = in.GitHub.Order(ctx, repository, pr.MergeCommit, previous.Commit)
	}
	return s, err
}

// execution carries decisions out.
type execution struct{ in *Inbox }

// carryOut makes a decision durable, then answers.
func (x execution) carryOut(ctx context.Context, r *responder, s command.Situation, d command.Decision) error {
	app := key(s.App.Namespace, s.App.Name)
	switch {
	case d.AskedBefore && r.again(): // by an earlier attempt of this delivery
		return x.executedBefore(ctx, r, s)
	case s.Command.Verb == command.Unlock && s.App.Status.Lock == nil && r.d.Status.ActIntendedAt != nil:
		return x.executedBefore(ctx, r, s)
	}
	refusal, err := x.order(ctx, r, s)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return r.refuse(ctx, *refusal)
	case d.Refused:
		return r.refuse(ctx, d.Fact)
	case d.Submit != nil:
		return x.submit(ctx, r, s, d)
	case d.Approve != nil:
		err := x.in.Record.Approve(ctx, key(app.Namespace, d.Approve.Release), d.Approve.Approval)
		return x.written(ctx, r, s, outcome{err, "approving " + d.Approve.Release, d.Fact})
	case d.Promote != nil:
		err := x.in.Record.Promote(ctx, key(app.Namespace, d.Promote.Release), d.Promote.Promotion)
		return x.written(ctx, r, s, outcome{err, "promoting " + d.Promote.Release, d.Fact})
	case d.Cancel != nil:
		err := x.in.Record.Cancel(ctx, key(app.Namespace, d.Cancel.Release), d.Cancel.Cancel)
		return x.written(ctx, r, s, outcome{err, "cancelling " + d.Cancel.Release, d.Fact})
	case d.Lock != nil:
		return x.lock(ctx, r, s, d)
	case d.Unlock != nil:
		return x.unlock(ctx, r, s)
	}
	return r.answer(ctx, d.Fact)
}

// executedBefore finishes a command that an earlier attempt executed. If it asked for a
// release, the release's comment shows the end.
func (x execution) executedBefore(ctx context.Context, r *responder, s command.Situation) error {
	r.executed(s)
	submitted := slices.ContainsFunc(s.Releases, func(rel v1alpha1.Release) bool { return rel.Spec.Cause.CommentID == s.Cause.CommentID })
	if !submitted {
		r.react(ctx, githubapp.ReactionDone)
	}
	return nil
}

// submit stores the release of a command.
func (x execution) submit(ctx context.Context, r *responder, s command.Situation, d command.Decision) error {
	rel := d.Submit
	stored, created, err := Submit(ctx, x.in.Record, rel)
	if err == nil {
		rel = stored
	}
	if errors.Is(err, ErrIdentity) {
		return r.refuse(ctx, command.Fact{Code: command.CodeNamesTaken, Args: command.Args{Release: rel.Namespace + "/" + rel.Name}})
	}
	if err != nil {
		return fmt.Errorf("submitting %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	x.in.Log.InfoContext(ctx, "release submitted", "release", rel.Name, "namespace", rel.Namespace, "created", created, "by",
		r.comment().Author)
	if !created && d.Submit.Spec.Approval != nil && stored.Spec.Approval == nil {
		// Meanwhile its push created the release, without the approval.
		err := x.in.Record.Approve(ctx, key(rel.Namespace, rel.Name), *d.Submit.Spec.Approval)
		return x.written(ctx, r, s, outcome{err, "approving " + rel.Name, d.Fact})
	}
	if !created {
		return r.answer(ctx, command.Fact{Code: command.CodeAskedBefore, Args: command.Args{Release: rel.Name}})
	}
	r.executed(s)
	return r.accepted(ctx, d.Fact) // the publisher reacts when the release has ended
}
