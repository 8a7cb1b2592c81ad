package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// threadPatience is how long a command waits for the earlier ones of its pull request.
const threadPatience = time.Minute

// undoneBy has, for each command, later commands that a late execution of it would undo.
var undoneBy = map[command.Verb][]command.Verb{
	command.Promote:  {command.Rollback, command.Cancel},
	command.Rollback: {command.Promote, command.Retry},
	command.Cancel:   {command.Promote, command.Retry},
	command.Retry:    {command.Rollback, command.Cancel},
	command.Lock:     {command.Unlock},
	command.Unlock:   {command.Lock},
}

// order keeps the commands of one pull request in order, although each is retried on its
// own. A command waits a moment for earlier ones. It is refused if a later one undid it, or
// if a newer version of Turnout has another one. A rollback does not wait.
func (x execution) order(ctx context.Context, r *responder, s command.Situation) (*command.Fact, error) {
	all, err := x.in.Deliveries.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for the other commands of the pull request: %w", err)
	}
	verb, waits := s.Command.Verb, s.Command.Verb != command.Rollback && s.Now.Sub(r.d.Spec.ReceivedAt.Time) < threadPatience
	for i := range all {
		other := &all[i]
		switch c := other.Spec.Comment; {
		case c == nil || c.PullRequest != r.comment().PullRequest || !strings.EqualFold(other.Spec.Repository, r.d.Spec.Repository):
		case other.Readable() != nil && verb != command.Rollback: // its result is unknown
			if waits {
				return nil, &tooEarly{x.in.backoff(1), "a newer version has another command of this pull request"}
			}
			return &command.Fact{Code: command.CodeNewerRecord, Args: command.Args{Application: s.App.Name}}, nil
		case c.ID > r.comment().ID && undoes(other, verb, s.App):
			return &command.Fact{Code: command.CodeAskedAfter, Args: command.Args{Next: []command.Command{{Verb: executedVerb(other)}, s.Command}}},
				nil
		case waits && c.ID < r.comment().ID && !other.Status.Phase.Finished() && other.Status.Executed == "" && mayChange(c.Body):
			return nil, &tooEarly{x.in.backoff(1), "an earlier command of this pull request is not done yet"}
		}
	}
	return nil, nil
}

func executedVerb(d *v1alpha1.Delivery) command.Verb {
	verb, _, _ := strings.Cut(d.Status.Executed, " ")
	return command.Verb(verb)
}

// undoes reports whether a delivery executed a command on an application that undid another
// one.
func undoes(d *v1alpha1.Delivery, verb command.Verb, app v1alpha1.BlueGreen) bool {
	_, on, _ := strings.Cut(d.Status.Executed, " ")
	return on == app.Namespace+"/"+app.Name && slices.Contains(undoneBy[verb], executedVerb(d))
}

// mayChange reports whether a comment has a command that changes something.
func mayChange(body string) bool {
	c, err := command.Parse(body)
	return err == nil && c != nil && !c.Verb.OnlyReads()
}
