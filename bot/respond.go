package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// responder answers one command: by reactions, which are decoration and may
// fail, and by a comment where there is something to say.
type responder struct {
	in   *Inbox
	d    *v1alpha1.Delivery
	eyes bool // they were set
}

func (r *responder) comment() *v1alpha1.DeliveredComment { return r.d.Spec.Comment }

// again reports whether an earlier attempt may have got anywhere.
func (r *responder) again() bool { return r.d.Status.Attempts > 1 }

// seen shows at once that the command was read, to somebody who may give it.
func (r *responder) seen(ctx context.Context) {
	r.eyes = true
	if err := r.in.GitHub.React(ctx, r.d.Spec.Repository, r.comment().ID, githubapp.ReactionSeen); err != nil {
		r.in.Log.InfoContext(ctx, "reaction not set", "comment", r.comment().ID, "error", err)
	}
}

// react replaces the eyes by how it ended.
func (r *responder) react(ctx context.Context, content string) {
	err := r.in.GitHub.React(ctx, r.d.Spec.Repository, r.comment().ID, content)
	if err == nil && r.eyes {
		err = r.in.GitHub.Unreact(ctx, r.d.Spec.Repository, r.comment().ID, githubapp.ReactionSeen)
	}
	if err != nil {
		r.in.Log.InfoContext(ctx, "reaction not set", "comment", r.comment().ID, "error", err)
	}
}

// refuse answers with the reason and the next move. An error means that the
// person does not know yet, so the delivery must be handled again.
func (r *responder) refuse(ctx context.Context, why command.Fact) error {
	if err := r.reply(ctx, report.Answer(why)); err != nil {
		return err
	}
	r.react(ctx, githubapp.ReactionRefused)
	return nil
}

// answer says something that changed nothing.
func (r *responder) answer(ctx context.Context, said command.Fact) error {
	if err := r.reply(ctx, report.Answer(said)); err != nil {
		return err
	}
	r.react(ctx, githubapp.ReactionNothing)
	return nil
}

// accepted says what a person may not expect of a command that was executed.
// What was asked is durable by now: that the note is lost is no reason to do it
// again.
func (r *responder) accepted(ctx context.Context, said command.Fact) error {
	note := report.Answer(said)
	if note == "" && !r.d.Status.Limited {
		return nil
	}
	if err := r.reply(ctx, note); err != nil {
		r.in.Log.InfoContext(ctx, "note not written", "comment", r.comment().ID, "error", err)
	}
	return nil
}

// defaultReplyGrace is how long after a reply of unknown outcome it is looked for:
// what was just written may not be listed yet.
const defaultReplyGrace = 10 * time.Second

// reply writes a comment that says which one it answers. That it is about to be
// written is recorded before: whoever finds that looks for it first, so that it is
// there once.
func (r *responder) reply(ctx context.Context, text string) error {
	marker := fmt.Sprintf("<!-- turnout:reply:%d -->\n", r.comment().ID)
	posted, err := r.posted(ctx, marker)
	if err != nil || posted {
		return err
	}
	body := marker + report.Reply(r.comment(), text, r.d.Status.Limited)
	_, err = r.in.GitHub.CreateComment(ctx, r.d.Spec.Repository, r.comment().PullRequest, body)
	if githubapp.RefusedForGood(err) { // a locked conversation: nobody is left to tell
		r.in.Log.InfoContext(ctx, "answer refused", "comment", r.comment().ID, "error", err)
		return nil
	}
	return err
}

// posted reports whether an earlier attempt posted the reply, and records that
// this one is about to.
func (r *responder) posted(ctx context.Context, marker string) (bool, error) {
	if at := r.d.Status.ReplyIntendedAt; at != nil {
		grace := r.in.Grace
		if grace <= 0 {
			grace = defaultReplyGrace
		}
		if wait := grace - time.Since(at.Time); wait > 0 {
			return false, &tooEarly{wait, "a reply of unknown outcome may not be listed yet"}
		}
		id, err := r.in.GitHub.FindComment(ctx, r.d.Spec.Repository, r.comment().PullRequest, marker)
		if err != nil || id != 0 {
			return id != 0, err
		}
	}
	return false, r.record(ctx, func(s *v1alpha1.DeliveryStatus) { s.ReplyIntendedAt = microNow() })
}

// record writes into the delivery what is about to be done.
func (r *responder) record(ctx context.Context, change func(*v1alpha1.DeliveryStatus)) error {
	change(&r.d.Status)
	if err := r.in.Deliveries.Update(ctx, r.d); err != nil {
		return fmt.Errorf("recording in the delivery %s what is about to be done: %w", r.d.Name, err)
	}
	return nil
}

func microNow() *metav1.MicroTime {
	now := metav1.NowMicro()
	return &now
}

// executed notes what was carried out, for the commands before it.
func (r *responder) executed(s command.Situation) {
	r.d.Status.Executed = prose.Characters(fmt.Sprintf("%s %s/%s", s.Command.Verb, s.App.Namespace, s.App.Name), v1alpha1.MaxExecuted)
}

// tooEarly is what cannot be told yet.
type tooEarly struct {
	wait time.Duration
	what string
}

// Error implements error.
func (e *tooEarly) Error() string { return e.what }

// outcome is what came of a command that was one write.
type outcome struct {
	err  error
	what string
	said command.Fact // to the person
}

// written answers a command that was one write.
func (x execution) written(ctx context.Context, r *responder, s command.Situation, o outcome) error {
	switch err := o.err; {
	case errors.Is(err, ErrSet): // somebody was faster, or this is a second delivery
		return r.answer(ctx, command.Fact{Code: command.CodeAskedMeanwhile})
	case errors.Is(err, ErrNotFound):
		return r.refuse(ctx, command.Fact{Code: command.CodeGone, Args: command.Args{Next: []command.Command{{Verb: command.Status}}}})
	case err != nil:
		return fmt.Errorf("%s: %w", o.what, err)
	}
	x.in.Log.InfoContext(ctx, "command executed", "what", o.what, "by", r.comment().Author)
	r.executed(s)
	r.react(ctx, githubapp.ReactionDone)
	return r.accepted(ctx, o.said)
}
