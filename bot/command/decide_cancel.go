package command

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// cancelling decides how to stop a release that has not moved users.
type cancelling struct{ s Situation }

// cancel stops the pull request's release if it has not begun to move users.
func (c cancelling) cancel() Decision {
	rel := c.s.own()
	if wrong := c.s.wrongCommit(rel); wrong != nil {
		return *wrong
	}
	if leaving := c.s.underWay(v1alpha1.Rollback); leaving != nil {
		return beingLeft(leaving, CodeBeingLeftNotCancel)
	}
	if rel == nil || rel.Status.Phase.Finished() {
		return c.cancelNothing(rel)
	}
	about := Args{Version: versionOf(rel), Live: c.s.App.Status.Live}
	switch {
	case rel.Status.Phase == v1alpha1.ReleaseUndoing:
		return answer(CodeBeingUndoneAlready, about)
	case rel.Status.Milestones.SwitchIntendedAt != nil:
		return c.tooLate(about.Version)
	case rel.Spec.Cancel != nil:
		about.By = rel.CancelledBy()
		return answer(CodeCancelledAlready, about)
	}
	about.Next = []Command{c.s.Typed(Retry)}
	d := answer(CodeCancelled, about)
	if rel.SeenByUsers() {
		d.Code = CodeWithdrawn
	}
	d.Cancel = c.s.cancelOf(rel)
	return d
}

// cancelOf makes the cancel of a release.
func (s Situation) cancelOf(rel *v1alpha1.Release) *ReleaseCancel {
	return &ReleaseCancel{Release: rel.Name, Cancel: v1alpha1.Cancel{
		By: s.By, At: metav1.NewTime(s.Asked), Cause: s.Cause, Reason: cancelReason(s.Command, s.Cause, rel.Status.Step),
	}}
}

// tooLate refuses to cancel a release that has moved users, or is moving them.
func (c cancelling) tooLate(version *v1alpha1.Version) Decision {
	return refuse(CodeTooLate, Args{Version: version, Next: []Command{c.s.Typed(Rollback)}})
}

// cancelNothing answers if the pull request has no release under way.
func (c cancelling) cancelNothing(rel *v1alpha1.Release) Decision {
	if live := c.s.App.Status.Live; live != nil && c.s.means(*live) && live.Release != "" {
		return c.tooLate(live)
	}
	var about Args
	if rel != nil {
		about.Version, about.Phase = versionOf(rel), rel.Status.Phase
	}
	if others := c.othersUnderWay(); len(others) > 0 {
		return refuse(CodeOthersUnderWay, about).and(others...)
	}
	return answer(CodeNothingToCancel, about)
}

// beingLeft refuses a command that would stop or contradict a rollback under way: users
// wait for it.
func beingLeft(leaving *v1alpha1.Release, how Code) Decision {
	return refuse(how, wayOf(leaving.Spec.Rollback))
}

// othersUnderWay lists other releases under way, and where to ask about them.
func (c cancelling) othersUnderWay() []Fact {
	var all []Fact
	for i := range c.s.Releases {
		rel := &c.s.Releases[i]
		switch {
		case rel.Status.Phase.Finished() || rel.Spec.Contract != nil:
		case rel.Spec.Rollback != nil:
			all = append(all, Fact{CodeOtherRollback, wayOf(rel.Spec.Rollback)})
		case rel.Status.Milestones.SwitchIntendedAt != nil:
			all = append(all, Fact{CodeOtherSwitched, c.askOn(rel, Rollback)})
		default:
			all = append(all, Fact{CodeOtherUnderWay, c.askOn(rel, Cancel)})
		}
	}
	return all
}

// askOn names a release, and where to ask what about it.
func (c cancelling) askOn(rel *v1alpha1.Release, verb Verb) Args {
	return Args{Version: versionOf(rel), PullRequests: pullRequestsOf(rel), Next: []Command{c.s.Typed(verb)}}
}
