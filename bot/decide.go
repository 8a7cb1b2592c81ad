package bot

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// Decision is what becomes of a command. Exactly one of Submit, Approve, Cancel,
// Lock, Unlock, Refuse and Answer is set.
type Decision struct {
	Submit  *v1alpha1.Release // store it
	Approve *ReleaseApproval
	Cancel  *ReleaseCancel
	Lock    *v1alpha1.Lock // set it on the application
	Unlock  *v1alpha1.Lock // take this one away from the application
	Refuse  *Refuse
	// Answer says that nothing has to be done, or what was asked for.
	Answer string
	// AskedBefore says, beside Answer, that this very comment was executed before.
	AskedBefore bool
	// Note is said beside Submit, Approve, Cancel, Lock or Unlock, if there is
	// something that the person may not expect.
	Note string
}

// ReleaseApproval sets the approval of a release.
type ReleaseApproval struct {
	Release  string // its name
	Approval v1alpha1.Approval
}

// ReleaseCancel sets the cancel of a release.
type ReleaseCancel struct {
	Release string // its name
	Cancel  v1alpha1.Cancel
}

// Refuse is a command that is not executed, with what to do instead.
type Refuse struct {
	Reason   string // a sentence
	NextMove string // a sentence
}

// Decide says what becomes of a command. It is pure, so that every command is
// driven in every phase by a test; docs/commands.md has what comes of it.
func Decide(s Situation) Decision {
	s.Releases = slices.DeleteFunc(slices.Clone(s.Releases), malformed)
	if before := s.askedBefore(); before != "" { // however late it comes again
		return Decision{Answer: before, AskedBefore: true}
	}
	if late := s.late(); late != "" {
		return refuse(late, fmt.Sprintf("If you still mean it, ask again: %s.", code(s.Command.String())))
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
		return Decision{Answer: s.status()}
	case Help:
		return Decision{Answer: s.help()}
	}
	return refuse(fmt.Sprintf("%s is not a command.", code(s.Command.String())), "`/help` lists the commands.")
}

// late says why a command comes too late to be executed; empty if it does not.
func (s Situation) late() string {
	received := s.Received
	if received.IsZero() {
		received = s.Now
	}
	switch {
	case s.Command.Verb.onlyReads():
		return ""
	case received.Sub(s.Asked) > patience:
		return "I was away when this was written, and things may have changed since."
	case s.Now.Sub(received) > persistence:
		return "This command could not be executed for more than an hour, because GitHub or Kubernetes did not answer, and things may have " +
			"changed since."
	}
	return ""
}

func refuse(reason, nextMove string) Decision {
	return Decision{Refuse: &Refuse{Reason: reason, NextMove: nextMove}}
}

// malformed reports whether a release has not what its kind needs. The schema
// takes no such release, but nothing here may depend on it.
func malformed(rel v1alpha1.Release) bool {
	return (rel.Spec.Kind == v1alpha1.Rollback) != (rel.Spec.Rollback != nil) || (rel.Spec.Rollback == nil) == (rel.Spec.Deploy == nil)
}

// askedBefore answers a comment that was executed already, and came again: what
// it meant then would start something else now. It is empty otherwise.
func (s Situation) askedBefore() string {
	comment := s.Cause.CommentID
	if comment == 0 || s.Command.Verb.onlyReads() {
		return ""
	}
	for i := range s.Releases {
		rel := &s.Releases[i]
		spec := &rel.Spec
		switch {
		case spec.Cancel != nil && spec.Cancel.Cause.CommentID == comment:
			return fmt.Sprintf("That was asked before: it cancelled %s. Nothing was changed.", code(rel.Name))
		case spec.Cause.CommentID == comment, spec.Approval != nil && spec.Approval.Cause.CommentID == comment:
			return fmt.Sprintf("That was asked before: %s does it. Nothing was changed.", code(rel.Name))
		}
	}
	if l := s.App.Status.Lock; l != nil && l.Cause.CommentID == comment {
		return fmt.Sprintf("That was asked before: `%s` is %s. Nothing was changed.", s.App.Name, sentence(lockText(l, plain)))
	}
	return ""
}

// name is what a command has to say to mean this application; empty if the
// repository has no other.
func (s Situation) name() string { return nameAmong(&s.App, s.Applications) }

// typed shows a command on this application, to be typed as it stands.
func (s Situation) typed(verb Verb) string {
	return code(Command{Verb: verb, Application: s.name()}.String())
}

// rolledBack returns how a commit was left by a rollback, or nil.
func (s Situation) rolledBack(commit string) *v1alpha1.RolledBack {
	for i := range s.App.Status.RolledBack {
		if left := &s.App.Status.RolledBack[i]; left.Commit == commit {
			return left
		}
	}
	return nil
}

// rolledBackBy says who took a commit away from users, by what, and when.
func rolledBackBy(left *v1alpha1.RolledBack) string {
	by := code(left.Release)
	if left.By != "" {
		by = fmt.Sprintf("%s (%s)", plain(left.By), by)
	}
	if left.At.IsZero() {
		return by
	}
	return by + " at " + date(left.At.Time)
}

// liveName names the live version for a person.
func (s Situation) liveName() string {
	if s.App.Status.Live == nil {
		return "nothing"
	}
	return code(s.App.Status.Live.Short())
}

// rollbackByCommit is the command that leaves the live version from anywhere.
func (s Situation) rollbackByCommit() string {
	c := Command{Verb: Rollback, Application: s.name()}
	if live := s.App.Status.Live; live != nil {
		c.Commit = v1alpha1.ShortCommit(live.Commit)
	}
	return code(c.String())
}

// reasonOf says why a release ended.
func reasonOf(rel *v1alpha1.Release) string {
	if f := rel.Status.Failure; f != nil {
		return truncate(f.Message, maxMessage)
	}
	return truncate(rel.Status.Message, maxMessage)
}

// NewDeploy makes the release that deploys a commit. Everything in it but cause
// is the same whoever asks.
func NewDeploy(app *v1alpha1.BlueGreen, commit string, attempt int32, cause v1alpha1.Cause) *v1alpha1.Release {
	return newRelease(app, v1alpha1.DeployName(app.Name, commit, attempt), v1alpha1.ReleaseSpec{
		Kind:  v1alpha1.Deploy,
		Cause: cause,
		Deploy: &v1alpha1.DeploySpec{
			Repository: app.Spec.Repository, Branch: app.Spec.Branch, Commit: commit, Attempt: attempt,
		},
	})
}

// NewRollback makes the release that takes back the switch of another one.
func NewRollback(app *v1alpha1.BlueGreen, spec v1alpha1.RollbackSpec, cause v1alpha1.Cause) *v1alpha1.Release {
	return newRelease(app, v1alpha1.RollbackName(app.Name, spec.Switch, spec.Attempt), v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Rollback, Cause: cause, Rollback: &spec,
	})
}

func newRelease(app *v1alpha1.BlueGreen, name string, spec v1alpha1.ReleaseSpec) *v1alpha1.Release {
	spec.Application = app.Name
	return &v1alpha1.Release{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Release"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: app.Namespace, Name: name,
			Labels: map[string]string{v1alpha1.ApplicationLabel: app.Name},
		},
		Spec: spec,
	}
}
