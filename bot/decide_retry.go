package bot

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// retry: release the pull request's commit once more, after its last attempt has
// ended. It approves nothing: the release waits for a person where any other
// would.
func (s Situation) retry() Decision {
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
	if rel == nil { // its push was lost, or its releases are no longer kept
		return s.alreadyLive(s.submitDeploy(s.PullRequest.MergeCommit, 1, s.again))
	}
	commit, version := rel.Spec.Deploy.Commit, versionOf(rel)
	switch {
	case !rel.Status.Phase.Finished() && undoing(rel):
		return refuse(fmt.Sprintf("The release of %s is being undone.", version), "Ask again when it has ended.")
	case !rel.Status.Phase.Finished():
		return refuse(fmt.Sprintf("The release of %s is still running: it is attempt %d.", version, rel.Spec.Deploy.Attempt),
			s.insteadOfRetry(rel))
	case s.isLive(commit):
		return s.alreadyLive(s.liveAlready(version))
	}
	if by := s.successor(rel); by != nil {
		return s.overtaken(rel, by)
	}
	return s.alreadyLive(s.submitDeploy(commit, s.nextDeploy(rel), s.again))
}

// alreadyLive refuses what /promote would only answer: who asks for another
// attempt of what users have wants something that does not happen.
func (s Situation) alreadyLive(d Decision) Decision {
	if d.Answer == "" {
		return d
	}
	return refuse(d.Answer, "There is nothing to retry.")
}

// insteadOfRetry says what to do about a release that is under way.
func (s Situation) insteadOfRetry(rel *v1alpha1.Release) string {
	if rel.Status.Milestones.SwitchIntendedAt != nil {
		return fmt.Sprintf("%s takes it back.", s.typed(Rollback))
	}
	return fmt.Sprintf("%s stops it; after that, %s starts the next attempt.", s.typed(Cancel), s.typed(Retry))
}

// again submits an attempt, and says why it may wait.
func (s Situation) again(rel *v1alpha1.Release) Decision {
	d, deploy := Decision{Submit: rel}, rel.Spec.Deploy
	if left := s.rolledBack(deploy.Commit); left != nil {
		d.Note = fmt.Sprintf("Attempt %d of %s is prepared, and then waits for %s, whatever the mode: it was rolled back by %s.",
			deploy.Attempt, versionOf(rel), s.typed(Promote), rolledBackBy(left))
	}
	if s.App.Status.Lock != nil {
		if d.Note == "" {
			d.Note = fmt.Sprintf("Attempt %d of %s has to wait.", deploy.Attempt, versionOf(rel))
		}
		d.Note = s.behindLock(d.Note)
	}
	return d
}
