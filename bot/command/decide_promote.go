package command

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// deploying decides about the release of the pull request's commit.
type deploying struct{ s Situation }

// promote puts the pull request's commit in front of users.
func (p deploying) promote() Decision {
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
	if p.s.Command.Weight > 0 && (rel == nil || !rel.SeenByUsers() || rel.Status.Phase.Finished()) {
		return refuse(CodeNoUsersYet, Args{Weight: p.s.Command.Weight, Next: []Command{p.s.Typed(Promote)}})
	}
	if rel != nil {
		return p.promoteRelease(rel)
	}
	return p.submitDeploy(p.s.PullRequest.MergeCommit, 1, p.approve)
}

// promoteRelease promotes a commit that already has a release.
func (p deploying) promoteRelease(rel *v1alpha1.Release) Decision {
	about, m := Args{Version: versionOf(rel)}, rel.Status.Milestones
	switch {
	case rel.Status.Phase.Finished():
		return p.promoteFinished(rel)
	case undoing(rel):
		return refuse(CodeBeingUndone, about)
	case m.SwitchedAt != nil:
		about.Color = m.Target
		return answer(CodeSwitched, about)
	case m.SwitchIntendedAt != nil:
		return answer(CodeSwitching, about)
	case rel.Divides():
		return p.promoteShare(rel)
	case rel.Spec.Approval != nil:
		about.By = rel.ApprovedBy()
		return answer(CodeApprovedAlready, about).and(p.s.behindLock()...)
	}
	d := answer(CodeApproved, about)
	d.Approve = &ReleaseApproval{Release: rel.Name, Approval: p.approval(rel.Spec.Deploy.Commit)}
	if m.Verified == nil && rel.Status.Phase != v1alpha1.ReleaseWaiting {
		d.Code = CodeApprovedEarly
	}
	if p.s.App.Status.Lock != nil {
		d.Code = CodeApprovedLocked
	}
	return d.and(p.s.behindLock()...)
}

// promoteShare lets a canary go on to the next step, or to the weight that was typed.
func (p deploying) promoteShare(rel *v1alpha1.Release) Decision {
	to := p.s.Command.Weight
	if to == 0 {
		to = rel.NextWeight()
	}
	about := Args{Version: versionOf(rel), Weight: to}
	for _, had := range rel.Spec.Promotions {
		if had.Weight >= to {
			about.By = rel.Vouched(had.By, had.Cause)
			return answer(CodePromotedAlready, about).and(p.s.behindLock()...)
		}
	}
	ahead := func(s v1alpha1.CanaryStep) bool { return s.Weight == to && to > rel.LastWeight().Weight }
	if to != v1alpha1.Everybody && !slices.ContainsFunc(rel.Status.Shift.Steps, ahead) {
		all := p.s.Typed(Promote)
		all.Weight = v1alpha1.Everybody
		about.Next = []Command{p.s.Typed(Promote), all}
		return refuse(CodeNoSuchStep, about)
	}
	d := answer(CodePromoted, about)
	if p.s.App.Status.Lock != nil {
		d.Code = CodePromotedLocked
	}
	d.Promote = &ReleasePromotion{Release: rel.Name, Promotion: v1alpha1.Promotion{
		Weight: to, By: p.s.By, At: metav1.NewTime(p.s.Asked), Cause: p.s.Cause,
	}}
	return d.and(p.s.behindLock()...)
}

// promoteFinished promotes a commit whose last release has ended.
func (p deploying) promoteFinished(rel *v1alpha1.Release) Decision {
	commit, version := rel.Spec.Deploy.Commit, versionOf(rel)
	if p.s.isLive(commit) {
		return p.liveAlready(version)
	}
	if left := p.s.rolledBack(commit); left != nil {
		about := leftBy(left)
		about.Version, about.Next = version, []Command{p.s.Typed(Retry)}
		return refuse(CodeRolledBack, about)
	}
	if rel.Status.Phase == v1alpha1.ReleaseFailed {
		return refuse(CodeFailedBefore, Args{Version: version, Reason: reasonOf(rel), Next: []Command{p.s.Typed(Retry)}})
	}
	if by := p.successor(rel); by != nil {
		return overtaken(rel, by)
	}
	return p.submitDeploy(commit, p.s.nextDeploy(rel), p.approve)
}

// leftBy says who moved users away from a version, how, and when.
func leftBy(left *v1alpha1.RolledBack) Args {
	about := Args{Release: left.Release, By: left.By}
	if !left.At.IsZero() {
		about.At = &left.At
	}
	return about
}

// submitDeploy makes a release of a commit if it is newer than the live one. finish
// completes the decision.
func (p deploying) submitDeploy(commit string, attempt int32, finish func(*v1alpha1.Release) Decision) Decision {
	about := Args{Version: commitVersion(commit), Live: p.s.App.Status.Live}
	switch p.s.AgainstLive {
	case OrderSame:
		return p.liveAlready(about.Version)
	case OrderOlder:
		about.Next = []Command{p.s.Typed(Rollback), p.s.RollbackByCommit()}
		return refuse(CodeOlder, about)
	case OrderDiverged:
		about.Branch = p.s.App.Spec.Branch
		return refuse(CodeDiverged, about)
	case OrderUnknown, OrderNewer: // no known version is live, so every merge is newer
	}
	return finish(NewDeploy(&p.s.App, commit, attempt, p.s.Cause))
}

// approve submits a release with its approval.
func (p deploying) approve(rel *v1alpha1.Release) Decision {
	approval := p.approval(rel.Spec.Deploy.Commit)
	rel.Spec.Approval = &approval
	d := answer(CodeSubmitted, Args{Version: versionOf(rel)})
	d.Submit = rel
	if p.s.App.Status.Lock != nil {
		d.Code = CodeSubmittedLocked
	}
	return d.and(p.s.behindLock()...)
}

// isLive reports whether users have a commit of the pull request.
func (s Situation) isLive(commit string) bool {
	live := s.App.Status.Live
	return live != nil && live.Commit == commit || s.AgainstLive == OrderSame
}

func (p deploying) liveAlready(version *v1alpha1.Version) Decision {
	return answer(CodeLiveAlready, Args{Version: version, Next: []Command{p.s.Typed(Rollback)}})
}

func (p deploying) approval(commit string) v1alpha1.Approval {
	return v1alpha1.Approval{By: p.s.By, At: metav1.NewTime(p.s.Asked), Commit: commit, Cause: p.s.Cause}
}

// successor returns the release under way that superseded another one. It contains the
// other one's commit.
func (p deploying) successor(rel *v1alpha1.Release) *v1alpha1.Release {
	if rel.Status.Phase != v1alpha1.ReleaseSuperseded || rel.Status.SupersededBy == "" {
		return nil
	}
	for i := range p.s.Releases {
		if by := &p.s.Releases[i]; by.Name == rel.Status.SupersededBy && by.Spec.Deploy != nil && !by.Status.Phase.Finished() {
			return by
		}
	}
	return nil
}

// overtaken refuses a commit that a newer release under way contains.
func overtaken(rel, by *v1alpha1.Release) Decision {
	return refuse(CodeOvertaken, Args{Version: versionOf(rel), Other: versionOf(by), PullRequests: pullRequestsOf(by)})
}

// reasonOf is the record's reason why a release ended.
func reasonOf(rel *v1alpha1.Release) string {
	if f := rel.Status.Failure; f != nil {
		return f.Message
	}
	return rel.Status.Message
}
