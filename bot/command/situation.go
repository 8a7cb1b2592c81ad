package command

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Situation is everything a command is judged by: data that somebody read before.
type Situation struct {
	Command Command
	// PullRequest that the command was written on. The command line makes one up
	// of the commit it was given: merged into the application's branch.
	PullRequest PullRequest
	// By is the login of whoever asked, and Cause where.
	By    string
	Cause v1alpha1.Cause
	// Asked is when it was written, Received when it was written down, and Now when
	// it is judged. Without Received, it is received now.
	Asked, Received, Now time.Time

	// App with its status, and its Releases, newest first.
	App      v1alpha1.BlueGreen
	Releases []v1alpha1.Release
	// Applications of the repository, App among them: where there are several, the
	// answer names commands with the application's name. Empty if commands are not
	// typed into comments.
	Applications []v1alpha1.BlueGreen

	// AgainstLive and AgainstPrevious say where the pull request's merge commit
	// stands against the commits of status.live and status.previous. They are
	// needed by [Promote], [Retry] and [Rollback] alone.
	AgainstLive, AgainstPrevious Order
}

// Name is what a command has to say to mean this application; empty if the
// repository has no other.
func (s Situation) Name() string { return NameAmong(&s.App, s.Applications) }

// Typed is a command on this application.
func (s Situation) Typed(verb Verb) Command { return Command{Verb: verb, Application: s.Name()} }

// rolledBack returns how a commit was left by a rollback, or nil.
func (s Situation) rolledBack(commit string) *v1alpha1.RolledBack {
	for i := range s.App.Status.RolledBack {
		if left := &s.App.Status.RolledBack[i]; left.Commit == commit {
			return left
		}
	}
	return nil
}

// RollbackByCommit is the command that leaves the live version from anywhere.
func (s Situation) RollbackByCommit() Command {
	c := s.Typed(Rollback)
	if live := s.App.Status.Live; live != nil {
		c.Commit = v1alpha1.ShortCommit(live.Commit)
	}
	return c
}
