package command

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Situation is everything that a decision depends on. The caller reads it before.
type Situation struct {
	Command Command
	// PullRequest is where the command was written. The command line makes one up from its
	// commit, merged into the application's branch.
	PullRequest PullRequest
	// By is the author's login, Cause where the command was written.
	By    string
	Cause v1alpha1.Cause
	// Asked is when the command was written, Received when it was recorded, Now when it is
	// decided. Without Received it counts as received now.
	Asked, Received, Now time.Time

	// App is the application with its status, Releases are its releases, newest first.
	App      v1alpha1.BlueGreen
	Releases []v1alpha1.Release
	// Applications are the repository's applications, including App. If there are several,
	// answers name commands with the application's name. It is empty if people do not type
	// commands into comments.
	Applications []v1alpha1.BlueGreen

	// AgainstLive and AgainstPrevious compare the pull request's merge commit with the
	// commits of status.live and status.previous. Only [Promote], [Retry] and [Rollback]
	// need them.
	AgainstLive, AgainstPrevious Order
}

// Name is what a command must include to mean this application; empty if the repository has
// only one.
func (s Situation) Name() string { return NameAmong(&s.App, s.Applications) }

// Typed is a command for this application.
func (s Situation) Typed(verb Verb) Command { return Command{Verb: verb, Application: s.Name()} }

// rolledBack returns the rollback of a commit, or nil.
func (s Situation) rolledBack(commit string) *v1alpha1.RolledBack {
	for i := range s.App.Status.RolledBack {
		if left := &s.App.Status.RolledBack[i]; left.Commit == commit {
			return left
		}
	}
	return nil
}

// RollbackByCommit is the command that rolls back the live version, on any pull request.
func (s Situation) RollbackByCommit() Command {
	c := s.Typed(Rollback)
	if live := s.App.Status.Live; live != nil {
		c.Commit = v1alpha1.ShortCommit(live.Commit)
	}
	return c
}
