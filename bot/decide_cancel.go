package bot

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// cancel: stop the pull request's release, as long as it has not begun to move
// users.
func (s Situation) cancel() Decision {
	rel := s.own()
	if wrong := s.wrongCommit(rel); wrong != nil {
		return Decision{Refuse: wrong}
	}
	if leaving := s.underWay(v1alpha1.Rollback); leaving != nil {
		return s.beingLeft(leaving, ", and a rollback is not cancelled")
	}
	if rel == nil || rel.Status.Phase.Finished() {
		return s.cancelNothing(rel)
	}
	version := versionOf(rel)
	switch {
	case rel.Status.Phase == v1alpha1.ReleaseUndoing:
		return Decision{Answer: fmt.Sprintf("The release of %s is being undone already.", version)}
	case rel.Status.Milestones.SwitchIntendedAt != nil:
		return s.tooLate(version)
	case rel.Spec.Cancel != nil:
		return Decision{Answer: fmt.Sprintf("The release of %s was cancelled by %s already; %s stays live.", version, plain(rel.CancelledBy()),
			s.liveName())}
	}
	when := " while queued"
	if step := rel.Status.Step; step != "" {
		when = " at the step " + string(step)
	}
	return Decision{
		Cancel: s.cancelOf(rel, s.asked()+when),
		Note: fmt.Sprintf("The release of %s is being cancelled: users have not seen it, %s stays live. %s releases it once more.", version,
			s.liveName(), s.typed(Retry)),
	}
}

// asked names for the record what was typed, where it was typed.
func (s Situation) asked() string {
	if s.Cause.Kind == v1alpha1.CauseCLI {
		return "turnout " + string(s.Command.Verb)
	}
	return s.Command.String()
}

// cancelOf makes the cancel of a release, with a reason for the record.
func (s Situation) cancelOf(rel *v1alpha1.Release, reason string) *ReleaseCancel {
	return &ReleaseCancel{Release: rel.Name, Cancel: v1alpha1.Cancel{By: s.By, At: metav1.NewTime(s.Asked), Cause: s.Cause, Reason: reason}}
}

// tooLate refuses to cancel what users have, or are being moved to.
func (s Situation) tooLate(version string) Decision {
	return refuse(fmt.Sprintf("It is too late to cancel %s: users are on it, or on their way.", version),
		fmt.Sprintf("Type %s to take them back.", s.typed(Rollback)))
}

// cancelNothing answers where the pull request has no release under way.
func (s Situation) cancelNothing(rel *v1alpha1.Release) Decision {
	if live := s.App.Status.Live; live != nil && s.means(*live) && live.Release != "" {
		return s.tooLate(s.liveName())
	}
	why := "This pull request has no release under way"
	if rel != nil {
		why = fmt.Sprintf("The release of %s has ended (%s)", versionOf(rel), strings.ToLower(string(rel.Status.Phase)))
	}
	if others := s.othersUnderWay(); others != "" {
		return refuse(why+", so there is nothing to cancel here.", others)
	}
	return Decision{Answer: why + ": there is nothing to cancel. Nothing was changed."}
}

// beingLeft refuses what would stop, or go against, a rollback under way: users
// wait for it.
func (s Situation) beingLeft(leaving *v1alpha1.Release, more string) Decision {
	r := leaving.Spec.Rollback
	return refuse(fmt.Sprintf("%s is being left, for %s%s.", code(r.From.Short()), code(r.To.Short()), more),
		"Ask again when it has ended.")
}

// othersUnderWay says what is under way that the command does not mean, and
// where to ask about it; empty if nothing is.
func (s Situation) othersUnderWay() string {
	var lines []string
	for i := range s.Releases {
		rel := &s.Releases[i]
		switch {
		case rel.Status.Phase.Finished():
		case rel.Spec.Rollback != nil:
			lines = append(lines, fmt.Sprintf("The rollback to %s is under way; a rollback is not cancelled.", code(rel.Spec.Rollback.To.Short())))
		case rel.Status.Milestones.SwitchIntendedAt != nil:
			lines = append(lines, fmt.Sprintf("%s is under way, past the point where it can be cancelled: ask for %s on %s.", versionOf(rel),
				s.typed(Rollback), pullRequestsOf(rel)))
		default:
			lines = append(lines, fmt.Sprintf("%s is under way: ask for %s on %s.", versionOf(rel), s.typed(Cancel), pullRequestsOf(rel)))
		}
	}
	return strings.Join(lines, " ")
}

// pullRequestsOf says where to give a command about a Deploy.
func pullRequestsOf(rel *v1alpha1.Release) string {
	var numbers []int
	if rel.Status.GitHub != nil {
		numbers = rel.Status.GitHub.PullRequests
	}
	if len(numbers) == 0 && rel.Spec.Cause.PullRequest != 0 {
		numbers = []int{rel.Spec.Cause.PullRequest}
	}
	switch len(numbers) {
	case 0:
		return "the pull request of " + versionOf(rel)
	case 1:
		return fmt.Sprintf("pull request #%d", numbers[0])
	}
	var names []string
	for _, n := range numbers {
		names = append(names, fmt.Sprintf("#%d", n))
	}
	return "one of the pull requests " + strings.Join(names, ", ")
}
