package command_test

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
)

// contractedAs is a contract that began after the last switch, and what became of it.
func contractedAs(o v1alpha1.MigrationOutcome) func(*command.Situation) {
	return func(s *command.Situation) {
		at := afterTheSwitch(s)
		c := &v1alpha1.ContractStatus{
			Release: v1alpha1.ContractName(s.App.Name, bottest.NewCommit, 1), Commit: bottest.NewCommit, Outcome: o,
			IntendedAt: metav1.NewMicroTime(at),
		}
		if o != "" {
			c.EndedAt = &metav1.Time{Time: at.Add(time.Second)}
		}
		s.App.Status.Schema = &v1alpha1.SchemaStatus{Contract: c}
	}
}

// afterTheSwitch is a time after users got what is live.
func afterTheSwitch(s *command.Situation) time.Time {
	s.App.Status.LastSwitch.At = metav1.NewTime(bottest.Asked.Add(-time.Minute))
	return bottest.Asked.Add(-30 * time.Second)
}

// contracting: the contract of the live version runs.
func contracting(s *command.Situation) {
	contractedAs("")(s)
	what := v1alpha1.ContractRequest{Commit: bottest.NewCommit, Attempt: 1}
	rel := *command.NewContract(&s.App, what, v1alpha1.Cause{Kind: v1alpha1.CauseHold})
	rel.Status.Phase = v1alpha1.ReleaseRunning
	s.Releases = append([]v1alpha1.Release{rel}, s.Releases...)
}

// expandedSince: a deploy that changed the database failed after users had got what is live.
func expandedSince(s *command.Situation) {
	s.App.Status.Schema = &v1alpha1.SchemaStatus{Expanded: []v1alpha1.SchemaChange{{
		Release: v1alpha1.DeployName(s.App.Name, strings.Repeat("2c", 20), 1), Commit: strings.Repeat("2c", 20),
		At: metav1.NewTime(afterTheSwitch(s)), Outcome: v1alpha1.MigrationChanged,
	}}}
}
