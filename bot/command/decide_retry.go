package command

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// retry: release the pull request's commit once more, after its last attempt has
// ended. It approves nothing: the release waits for a person where any other
// would.
func (s Situation) retry() Decision {
	if wrong := s.wrongPullRequest(); wrong != nil {
		return *wrong
	}
	rel := s.own()
	if wrong := s.wrongCommit(rel); wrong != nil {
		return *wrong
	}
	if leaving := s.underWay(v1alpha1.Rollback); leaving != nil {
		return beingLeft(leaving, CodeBeingLeft)
	}
	if rel == nil { // its push was lost, or its releases are no longer kept
		return nothingToRetry(s.submitDeploy(s.PullRequest.MergeCommit, 1, s.again))
	}
	commit := rel.Spec.Deploy.Commit
	switch {
	case !rel.Status.Phase.Finished() && undoing(rel):
		return refuse(CodeBeingUndone, Args{Version: versionOf(rel)})
	case !rel.Status.Phase.Finished():
		return s.stillRunning(rel)
	case s.isLive(commit):
		return nothingToRetry(s.liveAlready(versionOf(rel)))
	}
	if by := s.successor(rel); by != nil {
		return overtaken(rel, by)
	}
	return nothingToRetry(s.submitDeploy(commit, s.nextDeploy(rel), s.again))
}

// nothingToRetry refuses what /promote would only answer: who asks for another
// attempt of what users have wants something that does not happen.
func nothingToRetry(d Decision) Decision {
	if d.Code != CodeLiveAlready {
		return d
	}
	return refuse(CodeNothingToRetry, d.Args)
}

// stillRunning refuses another attempt beside one that is under way.
func (s Situation) stillRunning(rel *v1alpha1.Release) Decision {
	about := Args{Version: versionOf(rel), Attempt: rel.Spec.Deploy.Attempt}
	if rel.Status.Milestones.SwitchIntendedAt != nil {
		about.Next = []Command{s.Typed(Rollback)}
		return refuse(CodeStillRunningSwitched, about)
	}
	about.Next = []Command{s.Typed(Cancel), s.Typed(Retry)}
	return refuse(CodeStillRunning, about)
}

// again submits an attempt, and says why it may wait.
func (s Situation) again(rel *v1alpha1.Release) Decision {
	about, said := Args{}, CodeRetried
	if s.App.Status.Lock != nil {
		said = CodeRetriedLocked
	}
	if left := s.rolledBack(rel.Spec.Deploy.Commit); left != nil {
		about, said = leftBy(left), CodeRetriedRolledBack
		about.Next = []Command{s.Typed(Promote)}
	}
	about.Version, about.Attempt = versionOf(rel), rel.Spec.Deploy.Attempt
	d := answer(said, about).and(s.behindLock()...)
	d.Submit = rel
	return d
}
