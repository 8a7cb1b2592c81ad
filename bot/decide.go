package bot

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// patience is the age at which a command is no longer executed: whoever wrote it
// has moved on, and what it meant then may be wrong now.
const patience = 15 * time.Minute

// Situation is everything a command is judged by: data that somebody read before.
type Situation struct {
	Command Command
	// PullRequest that the command was written on. The command line makes one up
	// of the commit it was given: merged into the application's branch.
	PullRequest PullRequest
	// By is the login of whoever asked, and Cause where.
	By    string
	Cause v1alpha1.Cause
	// Asked is when it was written, and Now when it is judged.
	Asked, Now time.Time

	// App with its status, and its Releases, newest first.
	App      v1alpha1.BlueGreen
	Releases []v1alpha1.Release

	// AgainstLive and AgainstPrevious say where the pull request's merge commit
	// stands against the commits of status.live and status.previous.
	AgainstLive, AgainstPrevious Order
}

// Decision is what becomes of a command. Exactly one of Submit, Approve, Cancel,
// Refuse and Answer is set.
type Decision struct {
	Submit  *v1alpha1.Release // store it
	Approve *Approve
	Cancel  *Cancel
	Refuse  *Refuse
	// Answer says that nothing has to be done, or what was asked for.
	Answer string
	// Note is said beside Submit, Approve or Cancel, if there is something that
	// the person may not expect.
	Note string
}

// Approve sets the approval of a release.
type Approve struct {
	Release  string // its name
	Approval v1alpha1.Approval
}

// Cancel sets the cancel of a release.
type Cancel struct {
	Release string // its name
	Cancel  v1alpha1.Cancel
}

// Refuse is a command that is not executed, with what to do instead.
type Refuse struct {
	Reason   string // a sentence
	NextMove string // a sentence
}

// Decide says what becomes of a command. It is the table "what a command does"
// of the documentation: pure, so that every cell of it is tested as a row.
func Decide(s Situation) Decision {
	if s.Now.Sub(s.Asked) > patience {
		return refuse("I was away when this was written, and things may have changed since.",
			fmt.Sprintf("If you still mean it, ask again: `%s`.", s.Command))
	}
	switch s.Command.Verb {
	case Promote:
		return s.promote()
	case Rollback:
		return s.rollback()
	case Status:
		return Decision{Answer: s.status()}
	}
	return refuse(fmt.Sprintf("`%s` is not a command.", s.Command), "The commands are `/promote`, `/rollback` and `/status`.")
}

func refuse(reason, nextMove string) Decision {
	return Decision{Refuse: &Refuse{Reason: reason, NextMove: nextMove}}
}

// promote: put the pull request's commit in front of users.
func (s Situation) promote() Decision {
	pr, branch := s.PullRequest, s.App.Spec.Branch
	commit := pr.MergeCommit
	switch {
	case pr.Base != branch:
		return refuse(fmt.Sprintf("This pull request merges into `%s`, but `%s` is released from `%s`.", pr.Base, s.App.Name, branch),
			fmt.Sprintf("Ask on a pull request that was merged into `%s`.", branch))
	case !pr.Merged || commit == "":
		return refuse("This pull request is not merged, so there is nothing to release yet.",
			fmt.Sprintf("Merge it into `%s`: that starts its release.", branch))
	case !strings.HasPrefix(commit, s.Command.Commit):
		return refuse(fmt.Sprintf("%s is not this pull request's commit, which is %s.", code(s.Command.Commit), code(v1alpha1.ShortCommit(commit))),
			"Type `/promote` alone, or ask on the pull request of the commit you mean.")
	}
	if rel := s.deployOf(commit); rel != nil {
		return s.promoteRelease(rel)
	}
	return s.promoteCommit(commit, 1)
}

// promoteRelease promotes a commit that has a release already.
func (s Situation) promoteRelease(rel *v1alpha1.Release) Decision {
	version, m := code(v1alpha1.ShortCommit(rel.Spec.Deploy.Commit)), rel.Status.Milestones
	switch {
	case rel.Status.Phase.Finished():
		return s.promoteFinished(rel)
	case rel.Spec.Cancel != nil || rel.Status.Phase == v1alpha1.ReleaseUndoing:
		return refuse(fmt.Sprintf("The release of %s is being undone.", version), "Ask again when it has ended.")
	case m.SwitchedAt != nil:
		return Decision{Answer: fmt.Sprintf("%s is live on %s already.", version, m.Target)}
	case m.SwitchIntendedAt != nil:
		return Decision{Answer: fmt.Sprintf("Traffic is being switched to %s right now.", version)}
	case rel.Spec.Approval != nil:
		return Decision{Answer: fmt.Sprintf("%s was approved by %s already; it switches when it is ready.", version, plain(rel.Spec.Approval.By))}
	}
	d := Decision{Approve: &Approve{Release: rel.Name, Approval: s.approval(rel.Spec.Deploy.Commit)}}
	if rel.Status.Phase != v1alpha1.ReleaseWaiting {
		d.Note = fmt.Sprintf("Approved: %s switches as soon as it has passed its health gate.", version)
	}
	return d
}

// promoteFinished promotes a commit whose last release has ended.
func (s Situation) promoteFinished(rel *v1alpha1.Release) Decision {
	commit := rel.Spec.Deploy.Commit
	version := code(v1alpha1.ShortCommit(commit))
	if s.AgainstLive == OrderSame {
		return s.liveAlready(version)
	}
	for _, left := range s.App.Status.RolledBack {
		if left.Commit == commit {
			return refuse(fmt.Sprintf("%s was rolled back by %s.", version, code(left.Release)), "Merge a commit that mends it: that is released in its place.")
		}
	}
	switch rel.Status.Phase {
	case v1alpha1.ReleaseFailed:
		return refuse(fmt.Sprintf("The release of %s failed: %s", version, plain(reasonOf(rel))), "Merge a commit that mends it.")
	case v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded:
		return s.promoteCommit(commit, rel.Spec.Deploy.Attempt+1)
	case v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseUndoing:
	}
	return s.promoteCommit(commit, rel.Spec.Deploy.Attempt+1)
}

// promoteCommit makes a release, approved, if the commit is newer than what is
// live.
func (s Situation) promoteCommit(commit string, attempt int32) Decision {
	version, live := code(v1alpha1.ShortCommit(commit)), s.liveName()
	switch s.AgainstLive {
	case OrderSame:
		return s.liveAlready(version)
	case OrderOlder:
		return refuse(fmt.Sprintf("%s is older than %s, which is live and contains it.", version, live),
			"To go back to the version before, type `/rollback` on the pull request that is live, or "+s.rollbackByCommit()+" anywhere.")
	case OrderDiverged:
		return refuse(fmt.Sprintf("%s and %s, which is live, do not contain one another: releasing it would take away what is live.", version, live),
			fmt.Sprintf("Merge both into `%s`, and promote the result.", s.App.Spec.Branch))
	case OrderUnknown, OrderNewer: // nothing known is live: whatever is merged is newer
	}
	rel := NewDeploy(&s.App, commit, attempt, s.Cause)
	approval := s.approval(commit)
	rel.Spec.Approval = &approval
	return Decision{Submit: rel}
}

func (s Situation) liveAlready(version string) Decision {
	return Decision{Answer: fmt.Sprintf("%s is live already. `/rollback` leaves it.", version)}
}

func (s Situation) approval(commit string) v1alpha1.Approval {
	return v1alpha1.Approval{By: s.By, At: metav1.NewTime(s.Asked), Commit: commit, Cause: s.Cause}
}

// deployOf returns the newest Deploy of a commit, or nil.
func (s Situation) deployOf(commit string) *v1alpha1.Release {
	var newest *v1alpha1.Release
	for i := range s.Releases {
		d := s.Releases[i].Spec.Deploy
		if d != nil && d.Commit == commit && (newest == nil || d.Attempt > newest.Spec.Deploy.Attempt) {
			newest = &s.Releases[i]
		}
	}
	return newest
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
	if live := s.App.Status.Live; live != nil && live.Commit != "" {
		return fmt.Sprintf("`/rollback %s`", v1alpha1.ShortCommit(live.Commit))
	}
	return "`/rollback`"
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
