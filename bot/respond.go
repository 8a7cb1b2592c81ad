package bot

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// responder answers one command: by reactions, which are decoration and may
// fail, and by a comment where there is something to say.
type responder struct {
	github  *GitHub
	log     *slog.Logger
	comment Comment
}

// seen shows at once that the command was read.
func (r responder) seen(ctx context.Context) {
	if err := r.github.React(ctx, r.comment.Repository, r.comment.ID, reactionSeen); err != nil {
		r.log.InfoContext(ctx, "reaction not set", "comment", r.comment.ID, "error", err)
	}
}

// react replaces the eyes by how it ended.
func (r responder) react(ctx context.Context, content string) {
	err := r.github.React(ctx, r.comment.Repository, r.comment.ID, content)
	if err == nil {
		err = r.github.Unreact(ctx, r.comment.Repository, r.comment.ID, reactionSeen)
	}
	if err != nil {
		r.log.InfoContext(ctx, "reaction not set", "comment", r.comment.ID, "error", err)
	}
}

// refuse answers with the reason and the next move. An error means that the
// person does not know yet, so the event must come again.
func (r responder) refuse(ctx context.Context, refusal Refuse) error {
	if err := r.reply(ctx, strings.TrimSpace(refusal.Reason+"\n\n"+refusal.NextMove)); err != nil {
		return err
	}
	r.react(ctx, reactionRefused)
	return nil
}

// answer says something that changed nothing.
func (r responder) answer(ctx context.Context, text, reaction string) error {
	if text != "" {
		if err := r.reply(ctx, text); err != nil {
			return err
		}
	}
	r.react(ctx, reaction)
	return nil
}

// accepted says what a person may not expect of a command that was executed.
// What was asked is durable by now: that the note is lost is no reason to do it
// again.
func (r responder) accepted(ctx context.Context, note string) error {
	if note == "" {
		return nil
	}
	if err := r.reply(ctx, note); err != nil {
		r.log.InfoContext(ctx, "note not written", "comment", r.comment.ID, "error", err)
	}
	return nil
}

// reply writes a comment that says which one it answers.
func (r responder) reply(ctx context.Context, text string) error {
	body := fmt.Sprintf("In response to %s by %s:\n\n%s", link("this", r.comment.URL), plain(r.comment.Author.Login), text)
	_, err := r.github.CreateComment(ctx, r.comment.Repository, r.comment.PullRequest, body)
	if refusedForGood(err) { // a locked conversation: nobody is left to tell
		r.log.InfoContext(ctx, "answer refused", "comment", r.comment.ID, "error", err)
		return nil
	}
	return err
}
