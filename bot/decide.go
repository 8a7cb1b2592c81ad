package bot

import (
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// patience is the age at which a command is no longer accepted: whoever wrote it
// has moved on, and what it meant then may be wrong now. It is judged by when the
// command was received. One that was received in time is tried for as long as
// persistence, whoever's trouble keeps it from being executed: its author has seen
// no refusal, and what it may act on is bound to its pull request.
const (
	patience    = 15 * time.Minute
	persistence = time.Hour
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

// Decide says what becomes of a command. It is pure, so that every command is
// driven in every phase by a test; docs/commands.md has what comes of it.
func Decide(s Situation) Decision {
	s.Releases = slices.DeleteFunc(slices.Clone(s.Releases), malformed)
	if before := s.askedBefore(); before != nil { // however late it comes again
		return Decision{Fact: *before, AskedBefore: true}
	}
	if late := s.late(); late != "" {
		return refuse(late, Args{Next: []Command{s.Command}})
	}
	switch s.Command.Verb {
	case Promote:
		return s.promote()
	case Rollback:
		return s.rollback()
	case Cancel:
		return s.cancel()
	case Retry:
		return s.retry()
	case Lock:
		return s.lock()
	case Unlock:
		return s.unlock()
	case Status:
		return answer(CodeStatus, Args{Application: s.App.Name, Shown: &s})
	case Help:
		return answer(CodeHelp, Args{Application: s.App.Name, Shown: &s})
	}
	return refuse(CodeNoCommand, Args{Next: []Command{s.Command, {Verb: Help}}})
}

// late says why a command comes too late to be executed; empty if it does not.
func (s Situation) late() Code {
	received := s.Received
	if received.IsZero() {
		received = s.Now
	}
	switch {
	case s.Command.Verb.onlyReads():
		return ""
	case received.Sub(s.Asked) > patience:
		return CodeAway
	case s.Now.Sub(received) > persistence:
		return CodeTriedTooLong
	}
	return ""
}

// malformed reports whether a release has not what its kind needs. The schema
// takes no such release, but nothing here may depend on it.
func malformed(rel v1alpha1.Release) bool {
	return (rel.Spec.Kind == v1alpha1.Rollback) != (rel.Spec.Rollback != nil) || (rel.Spec.Rollback == nil) == (rel.Spec.Deploy == nil)
}

// askedBefore answers a comment that was executed already, and came again: what
// it meant then would start something else now. Nil if it was not.
func (s Situation) askedBefore() *Fact {
	comment := s.Cause.CommentID
	if comment == 0 || s.Command.Verb.onlyReads() {
		return nil
	}
	for i := range s.Releases {
		rel := &s.Releases[i]
		spec := &rel.Spec
		switch {
		case spec.Cancel != nil && spec.Cancel.Cause.CommentID == comment:
			return &Fact{CodeAskedBeforeCancelled, Args{Release: rel.Name}}
		case spec.Cause.CommentID == comment, spec.Approval != nil && spec.Approval.Cause.CommentID == comment:
			return &Fact{CodeAskedBefore, Args{Release: rel.Name}}
		}
	}
	if l := s.App.Status.Lock; l != nil && l.Cause.CommentID == comment {
		return &Fact{CodeAskedBeforeLocked, Args{Application: s.App.Name, Lock: l}}
	}
	return nil
}

// name is what a command has to say to mean this application; empty if the
// repository has no other.
func (s Situation) name() string { return nameAmong(&s.App, s.Applications) }

// typed is a command on this application.
func (s Situation) typed(verb Verb) Command { return Command{Verb: verb, Application: s.name()} }

// rolledBack returns how a commit was left by a rollback, or nil.
func (s Situation) rolledBack(commit string) *v1alpha1.RolledBack {
	for i := range s.App.Status.RolledBack {
		if left := &s.App.Status.RolledBack[i]; left.Commit == commit {
			return left
		}
	}
	return nil
}

// rollbackByCommit is the command that leaves the live version from anywhere.
func (s Situation) rollbackByCommit() Command {
	c := s.typed(Rollback)
	if live := s.App.Status.Live; live != nil {
		c.Commit = v1alpha1.ShortCommit(live.Commit)
	}
	return c
}

// reasonOf is why a release ended, as its record says.
func reasonOf(rel *v1alpha1.Release) string {
	if f := rel.Status.Failure; f != nil {
		return f.Message
	}
	return rel.Status.Message
}
