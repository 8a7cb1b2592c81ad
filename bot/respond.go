package bot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// responder answers one command: by reactions, which are decoration and may fail, and by a
// comment if there is something to say.
type responder struct {
	in   *Inbox
	d    *v1alpha1.Delivery
	eyes bool // the eyes were set

	looking sync.WaitGroup // until the eyes are set
}

func (r *responder) comment() *v1alpha1.DeliveredComment { return r.d.Spec.Comment }

// again reports whether an earlier attempt may have done something.
func (r *responder) again() bool { return r.d.Status.Attempts > 1 }

// seen shows at once that the command was read, if its author may give it. The command does not wait
// for that.
func (r *responder) seen(ctx context.Context) {
	r.eyes = true
	repository, comment := r.d.Spec.Repository, r.comment().ID
	r.looking.Go(func() {
		if err := r.in.GitHub.React(ctx, repository, comment, githubapp.ReactionSeen); err != nil {
			r.in.Log.InfoContext(ctx, "reaction not set", "comment", comment, "error", err)
		}
	})
}

// settle waits until nothing that the responder began is under way.
func (r *responder) settle() { r.looking.Wait() }

// react replaces the eyes by the result.
func (r *responder) react(ctx context.Context, content string) {
	r.settle()
	err := r.in.GitHub.React(ctx, r.d.Spec.Repository, r.comment().ID, content)
	if err == nil && r.eyes {
		err = r.in.GitHub.Unreact(ctx, r.d.Spec.Repository, r.comment().ID, githubapp.ReactionSeen)
	}
	if err != nil {
		r.in.Log.InfoContext(ctx, "reaction not set", "comment", r.comment().ID, "error", err)
	}
}

// refuse answers with the reason and the next step. An error means that the person does not
// know yet, so the delivery must be handled again.
func (r *responder) refuse(ctx context.Context, why command.Fact) error {
	if err := r.reply(ctx, report.Answer(why)); err != nil {
		return err
	}
	r.react(ctx, githubapp.ReactionRefused)
	return nil
}

// answer answers without having changed anything.
func (r *responder) answer(ctx context.Context, said command.Fact) error {
	if err := r.reply(ctx, report.Answer(said)); err != nil {
		return err
	}
	r.react(ctx, githubapp.ReactionNothing)
	return nil
}

// accepted adds what people may not expect of an executed command. The command is durable
// by now: a lost note is no reason to repeat it.
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

// defaultReplyGrace is how long to wait before looking for a reply that may have been
// posted: GitHub may not list it at once.
const defaultReplyGrace = 10 * time.Second

// reply writes a comment that says which one it answers. It records its intent before.
// Whoever finds the intent looks for the reply first, so there is only one.
func (r *responder) reply(ctx context.Context, text string) error {
	marker := fmt.Sprintf("<!-- turnout:reply:%d -->\n", r.comment().ID)
	posted, err := r.posted(ctx, marker)
	if err != nil || posted {
		return err
	}
	body := marker + report.Reply(r.comment(), text, r.d.Status.Limited)
	_, err = r.in.GitHub.CreateComment(ctx, r.d.Spec.Repository, r.comment().PullRequest, body)
	if githubapp.RefusedForGood(err) { // a locked conversation: nobody can be answered
		r.in.Log.InfoContext(ctx, "answer refused", "comment", r.comment().ID, "error", err)
		return nil
	}
	return err
}

// posted reports whether an earlier attempt posted the reply. If not, it records that this
// one is about to.
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

// executed notes what was executed, for earlier commands of the thread.
func (r *responder) executed(s command.Situation) {
	r.d.Status.Executed = prose.Characters(fmt.Sprintf("%s %s/%s", s.Command.Verb, s.App.Namespace, s.App.Name), v1alpha1.MaxExecuted)
}

// tooEarly says that an answer is not known yet.
type tooEarly struct {
	wait time.Duration
	what string
}

// Error implements error.
func (e *tooEarly) Error() string { return e.what }

// outcome is the result of a command that is one write.
type outcome struct {
	err  error
	what string
	said command.Fact // what to tell the person
}

// written answers a command that is one write.
func (x execution) written(ctx context.Context, r *responder, s command.Situation, o outcome) error {
	switch err := o.err; {
	case errors.Is(err, ErrSet): // somebody was faster, or this is a repeated delivery
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
