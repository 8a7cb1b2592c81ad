package command

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// retry releases the pull request's commit again after its last attempt has ended. It
// approves nothing: the release waits for a person as any other would.
func (p deploying) retry() Decision {
	if wrong := p.s.wrongPullRequest(); wrong != nil {
		return *wrong
	}
	rel := p.s.own()
	if wrong := p.s.wrongCommit(rel); wrong != nil {
		return *wrong
	}
	if leaving := p.s.underWay(v1alpha1.Rollback); leaving != nil {
		return beingLeft(leaving, CodeBeingLeft)
	}
	if rel == nil { // its push was lost, or its releases were deleted
		return nothingToRetry(p.submitDeploy(p.s.PullRequest.MergeCommit, 1, p.again))
	}
	commit := rel.Spec.Deploy.Commit
	switch {
	case !rel.Status.Phase.Finished() && undoing(rel):
		return refuse(CodeBeingUndone, Args{Version: versionOf(rel)})
	case !rel.Status.Phase.Finished():
		return p.stillRunning(rel)
	case p.s.isLive(commit):
		return nothingToRetry(p.liveAlready(versionOf(rel)))
	}
	if by := p.successor(rel); by != nil {
		return overtaken(rel, by)
	}
	return nothingToRetry(p.submitDeploy(commit, p.s.nextDeploy(rel), p.again))
}

// nothingToRetry turns an answer of /promote into a refusal: whoever asks for another
// attempt of the live version asks for something that will not happen.
func nothingToRetry(d Decision) Decision {
	if d.Code != CodeLiveAlready {
		return d
	}
	return refuse(CodeNothingToRetry, d.Args)
}

// stillRunning refuses a second attempt while one is under way.
func (p deploying) stillRunning(rel *v1alpha1.Release) Decision {
	about := Args{Version: versionOf(rel), Attempt: rel.Spec.Deploy.Attempt}
	if rel.Status.Milestones.SwitchIntendedAt != nil {
		about.Next = []Command{p.s.Typed(Rollback)}
		return refuse(CodeStillRunningSwitched, about)
	}
	about.Next = []Command{p.s.Typed(Cancel), p.s.Typed(Retry)}
	return refuse(CodeStillRunning, about)
}

// again submits an attempt, and says why it may wait.
func (p deploying) again(rel *v1alpha1.Release) Decision {
	about, said := Args{}, CodeRetried
	if p.s.App.Status.Lock != nil {
		said = CodeRetriedLocked
	}
	if left := p.s.rolledBack(rel.Spec.Deploy.Commit); left != nil {
		about, said = leftBy(left), CodeRetriedRolledBack
		about.Next = []Command{p.s.Typed(Promote)}
	}
	about.Version, about.Attempt = versionOf(rel), rel.Spec.Deploy.Attempt
	d := answer(said, about).and(p.s.behindLock()...)
	d.Submit = rel
	return d
}
