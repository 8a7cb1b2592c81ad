package bot

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// promote: put the pull request's commit in front of users.
func (s Situation) promote() Decision {
	if wrong := s.wrongPullRequest(); wrong != nil {
		return Decision{Refuse: wrong}
	}
	rel := s.own()
	if wrong := s.wrongCommit(rel); wrong != nil {
		return Decision{Refuse: wrong}
	}
	if leaving := s.underWay(v1alpha1.Rollback); leaving != nil {
		return s.beingLeft(leaving, "")
	}
	if rel != nil {
		return s.promoteRelease(rel)
	}
	return s.submitDeploy(s.PullRequest.MergeCommit, 1, s.approve)
}

// promoteRelease promotes a commit that has a release already.
func (s Situation) promoteRelease(rel *v1alpha1.Release) Decision {
	version, m := versionOf(rel), rel.Status.Milestones
	switch {
	case rel.Status.Phase.Finished():
		return s.promoteFinished(rel)
	case undoing(rel):
		return refuse(fmt.Sprintf("The release of %s is being undone.", version), "Ask again when it has ended.")
	case m.SwitchedAt != nil:
		return Decision{Answer: fmt.Sprintf("%s is live on %s already.", version, m.Target)}
	case m.SwitchIntendedAt != nil:
		return Decision{Answer: fmt.Sprintf("Traffic is being switched to %s right now.", version)}
	case rel.Spec.Approval != nil:
		return Decision{Answer: s.behindLock(fmt.Sprintf("%s was approved by %s already; it switches when it is ready.", version,
			plain(rel.ApprovedBy())))}
	}
	d := Decision{Approve: &ReleaseApproval{Release: rel.Name, Approval: s.approval(rel.Spec.Deploy.Commit)}}
	if m.Verified == nil && rel.Status.Phase != v1alpha1.ReleaseWaiting {
		d.Note = fmt.Sprintf("Approved: %s switches as soon as it has passed its health gate.", version)
	}
	if s.App.Status.Lock != nil {
		d.Note = s.behindLock(fmt.Sprintf("Approved, but %s has to wait.", version))
	}
	return d
}

// promoteFinished promotes a commit whose last release has ended.
func (s Situation) promoteFinished(rel *v1alpha1.Release) Decision {
	commit, version := rel.Spec.Deploy.Commit, versionOf(rel)
	if s.isLive(commit) {
		return s.liveAlready(version)
	}
	if left := s.rolledBack(commit); left != nil {
		return refuse(fmt.Sprintf("%s was rolled back by %s.", version, rolledBackBy(left)),
			fmt.Sprintf("Merge a commit that mends it, which is released in its place; or type %s to try this very commit again.", s.typed(Retry)))
	}
	if rel.Status.Phase == v1alpha1.ReleaseFailed {
		return refuse(fmt.Sprintf("The release of %s failed: %s.", version, sentence(plain(reasonOf(rel)))),
			fmt.Sprintf("Merge a commit that mends it, or type %s to try this very commit again.", s.typed(Retry)))
	}
	if by := s.successor(rel); by != nil {
		return s.overtaken(rel, by)
	}
	return s.submitDeploy(commit, s.nextDeploy(rel), s.approve)
}

// submitDeploy makes a release of a commit, finished by finish, if the commit is
// newer than what is live.
func (s Situation) submitDeploy(commit string, attempt int32, finish func(*v1alpha1.Release) Decision) Decision {
	version, live := code(v1alpha1.ShortCommit(commit)), s.liveName()
	switch s.AgainstLive {
	case OrderSame:
		return s.liveAlready(version)
	case OrderOlder:
		return refuse(fmt.Sprintf("%s is older than %s, which is live and contains it.", version, live),
			fmt.Sprintf("To go back to the version before, type %s on the pull request that is live, or %s anywhere.", s.typed(Rollback),
				s.rollbackByCommit()))
	case OrderDiverged:
		return refuse(fmt.Sprintf("%s and %s, which is live, do not contain one another: releasing it would take away what is live.", version,
			live),
			fmt.Sprintf("Merge both into %s, and release the result.", code(s.App.Spec.Branch)))
	case OrderUnknown, OrderNewer: // nothing known is live: whatever is merged is newer
	}
	return finish(NewDeploy(&s.App, commit, attempt, s.Cause))
}

// approve submits a release that a person wants in front of users.
func (s Situation) approve(rel *v1alpha1.Release) Decision {
	approval := s.approval(rel.Spec.Deploy.Commit)
	rel.Spec.Approval = &approval
	d := Decision{Submit: rel}
	if s.App.Status.Lock != nil {
		d.Note = s.behindLock(fmt.Sprintf("%s is to be released, but has to wait.", versionOf(rel)))
	}
	return d
}

// isLive reports whether a commit of the pull request is what users have.
func (s Situation) isLive(commit string) bool {
	live := s.App.Status.Live
	return live != nil && live.Commit == commit || s.AgainstLive == OrderSame
}

func (s Situation) liveAlready(version string) Decision {
	return Decision{Answer: fmt.Sprintf("%s is live already. %s leaves it.", version, s.typed(Rollback))}
}

func (s Situation) approval(commit string) v1alpha1.Approval {
	return v1alpha1.Approval{By: s.By, At: metav1.NewTime(s.Asked), Commit: commit, Cause: s.Cause}
}

// successor returns the release that took a superseded one's place, if it is
// under way; it contains the other one's commit.
func (s Situation) successor(rel *v1alpha1.Release) *v1alpha1.Release {
	if rel.Status.Phase != v1alpha1.ReleaseSuperseded || rel.Status.SupersededBy == "" {
		return nil
	}
	for i := range s.Releases {
		if by := &s.Releases[i]; by.Name == rel.Status.SupersededBy && by.Spec.Deploy != nil && !by.Status.Phase.Finished() {
			return by
		}
	}
	return nil
}

// overtaken refuses to release a commit that a newer release under way contains.
func (s Situation) overtaken(rel, by *v1alpha1.Release) Decision {
	return refuse(fmt.Sprintf("%s was overtaken by %s, which is under way and contains it.", versionOf(rel), versionOf(by)),
		fmt.Sprintf("Ask on %s.", pullRequestsOf(by)))
}

// versionOf names the version that a Deploy brings, for a person.
func versionOf(rel *v1alpha1.Release) string {
	return code(v1alpha1.ShortCommit(rel.Spec.Deploy.Commit))
}

// undoing reports whether an unfinished release goes back, or is about to.
func undoing(rel *v1alpha1.Release) bool {
	return rel.Status.Phase == v1alpha1.ReleaseUndoing || rel.Spec.Cancel != nil && rel.Status.Milestones.SwitchIntendedAt == nil
}
