package command_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
)

// Whoever may write releases may take numbers. No number is used twice, and each fits a
// name.
func TestAttemptIsTheNextNumberThatIsFree(t *testing.T) {
	failed := func(commit string, attempt int32) v1alpha1.Release {
		app := bottest.Shop()
		rel := *command.NewDeploy(&app, commit, attempt, v1alpha1.Cause{Kind: v1alpha1.CausePush})
		rel.Status.Phase = v1alpha1.ReleaseFailed
		return rel
	}
	for name, tt := range map[string]struct {
		last   int32
		others []int32
		want   int32
	}{
		"the first":                {1, nil, 2},
		"the next":                 {7, []int32{1, 2}, 8},
		"the last that fits":       {98, nil, 99},
		"after the last that fits": {99, nil, 1},
		"after it, and 1 is taken": {99, []int32{1, 2}, 3},
		"a number by hand":         {1000, []int32{1}, 2},
		"all are taken but one":    {99, except(5), 5},
	} {
		s := bottest.Situation(bottest.Failed)
		s.Command.Verb = command.Retry
		s.Releases = []v1alpha1.Release{failed(bottest.NewCommit, tt.last)}
		for _, n := range tt.others {
			s.Releases = append(s.Releases, failed(bottest.NewCommit, n), failed(bottest.OldCommit, n+2))
		}
		d := command.Decide(s)
		if d.Submit == nil || d.Submit.Spec.Deploy.Attempt != tt.want ||
			d.Submit.Name != v1alpha1.DeployName("shop", bottest.NewCommit, tt.want) {
			t.Errorf("%s: decided %+v, want attempt %d", name, d, tt.want)
		}
	}
}

func except(n int32) []int32 {
	var all []int32
	for i := int32(1); i < command.MaxAttempt; i++ {
		if i != n {
			all = append(all, i)
		}
	}
	return all
}

// A rollback under way is joined only if it has the name that the command would use. Of
// ended ones only those that took back this very switch count.
func TestRollbackIsJoinedByItsNameAndItsVersions(t *testing.T) {
	for name, tt := range map[string]struct {
		phase  v1alpha1.ReleasePhase
		change func(*v1alpha1.Release)
		want   int32
	}{
		"under way":                    {v1alpha1.ReleaseRunning, func(*v1alpha1.Release) {}, 3},
		"under way, of another name":   {v1alpha1.ReleaseRunning, func(r *v1alpha1.Release) { r.Name = "shop-rollback-mine" }, 1},
		"ended":                        {v1alpha1.ReleaseFailed, func(*v1alpha1.Release) {}, 4},
		"ended, to somewhere else":     {v1alpha1.ReleaseFailed, func(r *v1alpha1.Release) { r.Spec.Rollback.To.Image = "mine" }, 1},
		"ended, from somewhere else":   {v1alpha1.ReleaseFailed, func(r *v1alpha1.Release) { r.Spec.Rollback.From.Image = "mine" }, 1},
		"ended, another switch's":      {v1alpha1.ReleaseFailed, func(r *v1alpha1.Release) { r.Spec.Rollback.Switch = "uid-x" }, 1},
		"succeeded, to somewhere else": {v1alpha1.ReleaseSucceeded, func(r *v1alpha1.Release) { r.Spec.Rollback.To.Image = "mine" }, 1},
		"moved users, and is under way": {
			v1alpha1.ReleaseRunning,
			func(r *v1alpha1.Release) { r.Status.Milestones.SwitchedAt = &metav1.Time{Time: bottest.Asked} }, 3,
		},
	} {
		s := bottest.Situation(bottest.Held)
		s.Command.Verb = command.Rollback
		rel := back(&s, 3, tt.phase)
		rel.Spec.Cause.CommentID = 103
		rel.UID = "uid-back"
		tt.change(&rel)
		s.PullRequest.Number, s.PullRequest.MergeCommit = otherPull, bottest.Hash("9") // it came in with the switch
		s.AgainstLive, s.AgainstPrevious = command.OrderOlder, command.OrderNewer
		s.Releases = append(s.Releases, rel)
		d := command.Decide(s)
		if d.Submit == nil || d.Submit.Spec.Rollback == nil || d.Submit.Spec.Rollback.Attempt != tt.want {
			t.Errorf("%s: decided %+v, want attempt %d", name, d, tt.want)
		}
	}
}

// The record of a cancel says what was typed, and how far the release had come.
func TestCancelSaysWhatWasTypedAndWhen(t *testing.T) {
	for name, tt := range map[string]struct {
		verb  command.Verb
		cause v1alpha1.CauseKind
		step  v1alpha1.Step
		want  string
	}{
		"a comment":                 {command.Cancel, v1alpha1.CauseComment, v1alpha1.StepVerify, "/cancel at the step verify"},
		"a comment, queued":         {command.Cancel, v1alpha1.CauseComment, "", "/cancel while queued"},
		"a comment's rollback":      {command.Rollback, v1alpha1.CauseComment, v1alpha1.StepVerify, "/rollback before the switch"},
		"the command line":          {command.Cancel, v1alpha1.CauseCLI, v1alpha1.StepVerify, "turnout cancel at the step verify"},
		"the command line, queued":  {command.Cancel, v1alpha1.CauseCLI, "", "turnout cancel while queued"},
		"a rollback by the program": {command.Rollback, v1alpha1.CauseCLI, "", "turnout rollback before the switch"},
	} {
		s := bottest.Situation(bottest.Running)
		s.Command.Verb, s.Cause.Kind, s.Releases[0].Status.Step = tt.verb, tt.cause, tt.step
		if d := command.Decide(s); d.Cancel == nil || d.Cancel.Cancel.Reason != tt.want {
			t.Errorf("%s: decided %+v, want a cancel because of %q", name, d, tt.want)
		}
	}
}

// A pull request merged elsewhere changed nothing here, whatever its commit is.
func TestPullRequestOfAnotherBranchMeansNoRelease(t *testing.T) {
	for _, verb := range []command.Verb{command.Rollback, command.Cancel, command.Retry, command.Promote} {
		for name, change := range map[string]func(*command.Situation){
			"another branch": func(s *command.Situation) { s.PullRequest.Base = "next" },
			"not merged":     func(s *command.Situation) { s.PullRequest.Merged = false },
		} {
			s := bottest.Situation(bottest.WaitsFor)
			s.Command.Verb = verb
			s.Releases[0].Status.GitHub.PullRequests = nil
			change(&s)
			if d := command.Decide(s); !d.Refused || d.Cancel != nil || d.Approve != nil || d.Submit != nil {
				t.Errorf("%s on a pull request of %s: decided %+v, want a refusal", verb, name, d)
			}
		}
	}
}

// A typed commit must be the pull request's, or that of the release that included it.
func TestTypedCommitMustBeThePullRequestsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		commit  string
		change  func(*command.Situation)
		refused bool
	}{
		"its own":                    {bottest.NewCommit[:9], func(*command.Situation) {}, false},
		"another":                    {bottest.OldCommit[:9], func(*command.Situation) {}, true},
		"the push's that brought it": {bottest.NewCommit[:9], batch, false},
		"its own below the push's": {
			bottest.Hash("9")[:7],
			func(s *command.Situation) { batch(s); s.PullRequest.MergeCommit = bottest.Hash("9") }, false,
		},
		"another below the push's": {bottest.OldCommit[:9], batch, true},
		"nothing is released of it yet": {
			bottest.NewCommit[:9], func(s *command.Situation) { s.Releases, s.App.Status.Active = nil, nil },
			false,
		},
		"nothing, and it is not its own": {
			bottest.OldCommit[:9], func(s *command.Situation) { s.Releases, s.App.Status.Active = nil, nil },
			true,
		},
	} {
		s := bottest.Situation(bottest.WaitsFor)
		s.Command = command.Command{Verb: command.Promote, Commit: tt.commit}
		tt.change(&s)
		if d := command.Decide(s); d.Refused != tt.refused || !tt.refused && d.Approve == nil && d.Submit == nil {
			t.Errorf("%s: decided %+v, want it refused: %v", name, d, tt.refused)
		}
	}
}
