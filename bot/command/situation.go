package command

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Situation is everything that a decision depends on: data that somebody read before.
type Situation struct {
	Command Command
	// PullRequest that the command was written on. The command line makes one up of
	// its commit: merged into the application's branch.
	PullRequest PullRequest
	// By is the author's login, and Cause where the command was written.
	By    string
	Cause v1alpha1.Cause
	// Asked is when the command was written, Received when it was recorded, and Now when
	// it is decided. Without Received, it is received now.
	Asked, Received, Now time.Time

	// App with its status, and its Releases, newest first.
	App      v1alpha1.BlueGreen
	Releases []v1alpha1.Release
	// Applications of the repository, App among them: where there are several, the
	// answer names commands with the application's name. Empty if commands are not
	// typed into comments.
	Applications []v1alpha1.BlueGreen

	// AgainstLive and AgainstPrevious are how the pull request's merge commit relates to
	// the commits of status.live and status.previous. Only [Promote], [Retry] and
	// [Rollback] need them.
	AgainstLive, AgainstPrevious Order
}

// Name is what a command needs to mean this application; empty if the repository has
// no other.
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
