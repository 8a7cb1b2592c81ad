package command_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// back is a rollback of the switch to pull request 7, asked for in another comment.
func back(s *command.Situation, attempt int32, phase v1alpha1.ReleasePhase) v1alpha1.Release {
	rel := *command.NewRollback(&s.App,
		v1alpha1.RollbackSpec{From: bottest.NewVersion, To: bottest.OldVersion, Switch: "uid-new", Attempt: attempt},
		v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "otto", CommentID: 100 + int64(attempt)})
	rel.Status.Phase = phase
	return rel
}

func TestDecideRepeatsOnlyARollbackThatMovedNobody(t *testing.T) {
	type past []v1alpha1.Release
	const ended, failed, running = v1alpha1.ReleaseError, v1alpha1.ReleaseFailed, v1alpha1.ReleaseRunning
	tests := []struct {
		name    string
		earlier func(s *command.Situation) past // newest first
		attempt int32                           // the submitted attempt; 0 if only answered
		says    string
	}{
		{"none before", func(*command.Situation) past { return nil }, 1, ""},
		{"error", func(s *command.Situation) past { return past{back(s, 1, ended)} }, 2, ""},
		{"failed", func(s *command.Situation) past { return past{back(s, 1, failed)} }, 2, ""},
		{"cancelled", func(s *command.Situation) past { return past{back(s, 1, v1alpha1.ReleaseCancelled)} }, 2, ""},
		{"stored before attempts were counted", func(s *command.Situation) past { return past{back(s, 0, ended)} }, 2, ""},
		{"twice", func(s *command.Situation) past { return past{back(s, 2, ended), back(s, 1, failed)} }, 3, ""},
		{"the first is collected", func(s *command.Situation) past { return past{back(s, 2, ended)} }, 3, ""},
		{"another switch's", func(s *command.Situation) past {
			other := back(s, 1, ended)
			other.Spec.Rollback.Switch = "uid-older"
			return past{other}
		}, 1, ""},
		{"under way", func(s *command.Situation) past { return past{back(s, 2, running), back(s, 1, ended)} }, 0, "is already under way"},
		{"under way, asked where another commit is meant", func(s *command.Situation) past {
			s.PullRequest.Number, s.PullRequest.MergeCommit = otherPull, strings.Repeat("9c", 20) // it came in with the switch, below what is live
			s.AgainstLive, s.AgainstPrevious = command.OrderOlder, command.OrderNewer
			return past{back(s, 2, running), back(s, 1, ended)}
		}, 2, ""}, // the name exists, so it is joined
		{"succeeded since the application was read", func(s *command.Situation) past {
			return past{back(s, 2, v1alpha1.ReleaseSucceeded), back(s, 1, ended)}
		}, 0, "`1b1b1b1` was already rolled back, by `" + v1alpha1.RollbackName("shop", "uid-new", 2) + "`"},
		{"moved users since, but ended badly", func(s *command.Situation) past {
			rel, now := back(s, 1, failed), metav1.NewTime(bottest.Asked)
			rel.Status.Milestones.SwitchedAt = &now
			return past{rel}
		}, 0, "was already rolled back"},
		{"the same comment again", func(s *command.Situation) past {
			s.Cause.CommentID = 101
			return past{back(s, 2, ended), back(s, 1, ended)}
		}, 0, "asked before: `" + v1alpha1.RollbackName("shop", "uid-new", 1) + "`"},
		{"asked by the command line, twice", func(s *command.Situation) past {
			s.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "wanda"}
			rel := back(s, 1, ended)
			rel.Spec.Cause = s.Cause
			return past{rel}
		}, 2, ""},
	}
	for _, tt := range tests {
		for _, at := range []bottest.Stage{bottest.Soaking, bottest.Held, bottest.Shrunk} {
			s := bottest.Situation(at)
			s.Command.Verb = command.Rollback
			s.Releases = append(tt.earlier(&s), s.Releases...)
			if at == bottest.Soaking && strings.Contains(tt.name, "where another commit") {
				continue // its deploy is under way, and the command does not mean it
			}
			d := command.Decide(s)
			if tt.attempt == 0 {
				if d.Submit != nil || d.Refused || !strings.Contains(report.Say(d.Fact).Says, tt.says) {
					t.Errorf("%s, stage %d: decided %+v, want the answer …%s…", tt.name, at, d, tt.says)
				}
				continue
			}
			if d.Submit == nil {
				t.Errorf("%s, stage %d: decided %+v, want attempt %d", tt.name, at, d, tt.attempt)
				continue
			}
			want := v1alpha1.RollbackName("shop", "uid-new", tt.attempt)
			if got := d.Submit.Spec.Rollback.Attempt; got != tt.attempt || d.Submit.Name != want {
				t.Errorf("%s, stage %d: attempt %d named %s, want %d named %s", tt.name, at, got, d.Submit.Name, tt.attempt, want)
			}
		}
	}
}

// TestRollbackSaysWhetherItIsInstant: and if not, about how long it takes.
func TestRollbackSaysWhetherItIsInstant(t *testing.T) {
	// measured adds an earlier release whose pods took some seconds.
	measured := func(s *command.Situation, name string, step v1alpha1.Step, started, warmed int) {
		rel := bottest.DeployOf(strings.Repeat("4d", 20), 1)
		rel.Name, rel.Status.Phase = name, v1alpha1.ReleaseSucceeded
		rel.Status.Timeline = []v1alpha1.TimelineEntry{
			bottest.Entry(step, 0, started, ""),
			bottest.Entry(v1alpha1.StepWarm, started, started+warmed, ""),
		}
		s.Releases = append(s.Releases, *rel)
	}
	const instant = "Users return to `0a0a0a0` at once: it still runs on blue at the size they need."
	for name, tt := range map[string]struct {
		at     bottest.Stage
		change func(*command.Situation)
		want   string
	}{
		"held":    {bottest.Held, nil, instant},
		"soaking": {bottest.Soaking, nil, instant},
		"held, live has grown since": {
			bottest.Held, func(s *command.Situation) {
				s.App.Status.WayBack = &v1alpha1.WayBack{
					Color: v1alpha1.Blue, Ready: 3, Needed: 5,
					Missing: "service shop-blue has fewer ready endpoints of it than users need",
				}
			},
			"because service shop-blue has fewer ready endpoints of it than users need: how long that takes is unknown",
		},
		"held at full size, and none of its pods is ready": {bottest.Held, func(s *command.Situation) {
			s.App.Status.WayBack = &v1alpha1.WayBack{
				Color: v1alpha1.Blue, Needed: 3,
				Missing: "service shop-blue has fewer ready endpoints of it than users need",
			}
		}, "because service shop-blue has fewer"},
		"not looked at yet": {
			bottest.Held, func(s *command.Situation) { s.App.Status.WayBack = nil },
			"because its pods were not checked yet",
		},
		"what is known is of blue": {
			bottest.Held, func(s *command.Situation) { s.App.Status.WayBack.Color = v1alpha1.Green },
			"because its pods were not checked yet",
		},
		"a newer release was staged over it": {bottest.Held, func(s *command.Situation) {
			over := bottest.DeployOf(bottest.LaterCommit, 1)
			over.Status.Milestones.Target, over.Status.Phase = v1alpha1.Blue, v1alpha1.ReleaseRunning
			over.Status.Timeline = []v1alpha1.TimelineEntry{
				bottest.Entry(v1alpha1.StepBuild, 0, 60, ""),
				bottest.Entry(v1alpha1.StepStage, 60, 0, ""),
			}
			s.Releases = append([]v1alpha1.Release{*over}, s.Releases...)
		}, "because 2c2c2c2 was staged on blue since"},
		"a newer release is only being built": {bottest.Held, func(s *command.Situation) {
			over := bottest.DeployOf(bottest.LaterCommit, 1)
			bottest.Claimed(over)
			over.Status.Milestones.Target = v1alpha1.Blue
			s.Releases = append([]v1alpha1.Release{*over}, s.Releases...)
		}, instant},
		"one was staged there before the switch": {bottest.Held, func(s *command.Situation) {
			s.App.Status.LastSwitch.At = *bottest.At(100)
			before := bottest.DeployOf(bottest.LaterCommit, 1)
			before.Status.Milestones.Target, before.Status.Phase = v1alpha1.Blue, v1alpha1.ReleaseSucceeded
			before.Status.Timeline = []v1alpha1.TimelineEntry{bottest.Entry(v1alpha1.StepStage, 60, 70, "")}
			s.Releases = append(s.Releases, *before)
		}, instant},
		"shrunk, never measured": {
			bottest.Shrunk, nil,
			"because blue was scaled down since: how long that takes is unknown, since no release of it has been measured yet.",
		},
		"shrunk, measured": {bottest.Shrunk, func(s *command.Situation) {
			measured(s, "one", v1alpha1.StepStage, 22, 50)
			measured(s, "two", v1alpha1.StepStage, 31, 60)
			measured(s, "back", v1alpha1.StepSize, 1, 1) // within a hold: nothing had to be started
		}, "because blue was scaled down since: about 2 min, the longest that it took lately."},
		"shrunk, measured by a rollback": {
			bottest.Shrunk, func(s *command.Situation) { measured(s, "back", v1alpha1.StepSize, 20, 15) },
			"about 40 s",
		},
		"shrunk, measured on Google's load balancer": {bottest.Shrunk, func(s *command.Situation) {
			measured(s, "one", v1alpha1.StepStage, 5, 3)
			s.Releases[len(s.Releases)-1].Status.Route = &v1alpha1.RouteStatus{LoadBalancer: v1alpha1.LoadBalancerGCE}
		}, "about 10 s, the longest that it took lately, or 40 s longer if the load balancer does not report the health of each pod."},
		"shrunk, measured where that did not tell of each pod": {bottest.Shrunk, func(s *command.Situation) {
			measured(s, "one", v1alpha1.StepStage, 5, 40)
			since := metav1.NewMicroTime(bottest.At(10).Time)
			s.Releases[len(s.Releases)-1].Status.Route = &v1alpha1.RouteStatus{LoadBalancer: v1alpha1.LoadBalancerGCE, HealthySince: &since}
		}, "about 50 s, the longest that it took lately."},
		"shrunk to a standby size": {bottest.Shrunk, func(s *command.Situation) {
			measured(s, "one", v1alpha1.StepStage, 5, 3)
			s.Releases[len(s.Releases)-1].Status.Route = &v1alpha1.RouteStatus{LoadBalancer: v1alpha1.LoadBalancerGCE}
			s.App.Spec.StandbyReplicas = 1
		}, "about 10 s, the longest that it took lately."},
		"shrunk, and staging failed once": {bottest.Shrunk, func(s *command.Situation) {
			measured(s, "one", v1alpha1.StepStage, 600, 1)
			s.Releases[len(s.Releases)-1].Status.Failure = &v1alpha1.Failure{Step: v1alpha1.StepStage}
			measured(s, "two", v1alpha1.StepStage, 22, 5)
		}, "about 30 s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := bottest.Situation(tt.at)
			s.Command.Verb = command.Rollback
			if tt.change != nil {
				tt.change(&s)
			}
			d := command.Decide(s)
			says := report.Say(d.Fact).Says
			if d.Submit == nil || !strings.Contains(says, tt.want) || tt.want != instant && strings.Contains(says, "at once") {
				t.Errorf("decided %+v, want a rollback, and …%s…", d, tt.want)
			}
		})
	}
}

// TestNoAdviceThatWouldBeRefused: if the live version cannot be rolled back, since a
// rollback or somebody else moved traffic, no answer suggests that.
func TestNoAdviceThatWouldBeRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*command.Situation)
		want   string
	}{
		"moved by hand": {func(s *command.Situation) {
			s.App.Status.Live.Color = v1alpha1.Blue
			s.App.Status.LastSwitch.To.Color = v1alpha1.Green
		}, "Something other than Turnout has moved traffic to blue"},
		"rolled back": {func(s *command.Situation) { s.App.Status.LastSwitch.Kind = "Rollback" }, "there is no version before it"},
	} {
		s := bottest.Situation(bottest.Held)
		tt.change(&s)
		s.Command.Verb, s.PullRequest = command.Rollback,
			command.PullRequest{Number: 9, Base: "main", Merged: true, MergeCommit: strings.Repeat("9c", 20)}
		d := command.Decide(s)
		if got, text := bottest.Kind(d); got != "refuse" || !strings.Contains(text, tt.want) || strings.Contains(text, "/rollback") {
			t.Errorf("%s: %s, %q; want a refusal with …%s…, and without /rollback", name, got, text, tt.want)
		}
	}
}
