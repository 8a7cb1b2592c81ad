package command

import (
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Patience is how old a command may be when it is received: the author of an older one may
// no longer expect it to be executed. A command that came in time is tried for persistence,
// whatever delays it. Its author has seen no refusal, and it still concerns the same pull
// request.
const (
	Patience    = 15 * time.Minute
	persistence = time.Hour
)

// Decide decides what a command does. It is pure, so a test runs every command in every
// phase; docs/commands.md shows the results.
func Decide(s Situation) Decision {
	s.Releases = slices.DeleteFunc(slices.Clone(s.Releases), Malformed)
	if before := s.askedBefore(); before != nil { // even if the repetition is late
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
	case Contract:
		return contracts{s}.contract()
	case Status:
		return answer(CodeStatus, Args{Application: s.App.Name, Shown: &s})
	case Help:
		return answer(CodeHelp, Args{Application: s.App.Name, Shown: &s})
	}
	return refuse(CodeNoCommand, Args{Next: []Command{s.Command, {Verb: Help}}})
}

// late returns the code for a command that comes too late; empty if it does not.
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

// askedBefore answers a comment that was executed before: today its command would start
// something else. It returns nil for a new comment.
func (s Situation) askedBefore() *Fact {
	comment := s.Cause.CommentID
	if comment == 0 || s.Command.Verb.OnlyReads() {
		return nil
	}
	for i := range s.Releases {
		rel := &s.Releases[i]
		spec := &rel.Spec
		switch {
		case spec.Cancel != nil && spec.Cancel.Cause.CommentID == comment, takenBackBy(rel, comment):
			return &Fact{CodeAskedBeforeCancelled, Args{Release: rel.Name}}
		case spec.Cause.CommentID == comment, promotedBy(rel, comment), spec.Approval != nil && spec.Approval.Cause.CommentID == comment:
			return &Fact{CodeAskedBefore, Args{Release: rel.Name}}
		}
	}
	if l := s.App.Status.Lock; l != nil && l.Cause.CommentID == comment {
		return &Fact{CodeAskedBeforeLocked, Args{Application: s.App.Name, Lock: l}}
	}
	return nil
}

// takenBackBy reports whether a comment asked to take users back from a release's version.
func takenBackBy(rel *v1alpha1.Release, comment int64) bool {
	back := rel.Spec.TakenBack()
	return back != nil && back.Cause.CommentID == comment
}

// promotedBy reports whether a comment has promoted a release's canary.
func promotedBy(rel *v1alpha1.Release, comment int64) bool {
	return slices.ContainsFunc(rel.Spec.Promotions, func(p v1alpha1.Promotion) bool { return p.Cause.CommentID == comment })
}
