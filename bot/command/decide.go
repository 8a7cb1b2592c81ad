package command

import (
	"slices"
	"time"
)

// patience is the age at which a command is no longer accepted: whoever wrote it
// has moved on, and what it meant then may be wrong now. It is judged by when the
// command was received. One that was received in time is tried for as long as
// persistence, whoever's trouble keeps it from being executed: its author has seen
// no refusal, and what it may act on is bound to its pull request.
const (
	Patience    = 15 * time.Minute
	persistence = time.Hour
)

// Decide says what becomes of a command. It is pure, so that every command is
// driven in every phase by a test; docs/commands.md has what comes of it.
func Decide(s Situation) Decision {
	s.Releases = slices.DeleteFunc(slices.Clone(s.Releases), Malformed)
	if before := s.askedBefore(); before != nil { // however late it comes again
		return Decision{Fact: *before, AskedBefore: true}
	}
	if late := s.late(); late != "" {
		return refuse(late, Args{Next: []Command{s.Command}})
	}
	switch s.Command.Verb {
	case Promote:
		return deploying{s}.promote()
	case Rollback:
		return leaving{s}.rollback()
	case Cancel:
		return cancelling{s}.cancel()
	case Retry:
		return deploying{s}.retry()
	case Lock:
		return locking{s}.lock()
	case Unlock:
		return locking{s}.unlock()
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
	case s.Command.Verb.OnlyReads():
		return ""
	case received.Sub(s.Asked) > Patience:
		return CodeAway
	case s.Now.Sub(received) > persistence:
		return CodeTriedTooLong
	}
	return ""
}

// askedBefore answers a comment that was executed already, and came again: what
// it meant then would start something else now. Nil if it was not.
func (s Situation) askedBefore() *Fact {
	comment := s.Cause.CommentID
	if comment == 0 || s.Command.Verb.OnlyReads() {
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
