package bot_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// back is a rollback of the switch to pull request 7, asked by another comment.
func back(s *bot.Situation, attempt int32, phase v1alpha1.ReleasePhase) v1alpha1.Release {
	rel := *bot.NewRollback(&s.App, v1alpha1.RollbackSpec{From: newVersion, To: oldVersion, Switch: "uid-new", Attempt: attempt},
		v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "otto", CommentID: 100 + int64(attempt)})
	rel.Status.Phase = phase
	return rel
}

func TestDecideRepeatsOnlyARollbackThatMovedNobody(t *testing.T) {
	type past []v1alpha1.Release
	const ended, failed, running = v1alpha1.ReleaseError, v1alpha1.ReleaseFailed, v1alpha1.ReleaseRunning
	tests := []struct {
		name    string
		earlier func(s *bot.Situation) past // newest first
		attempt int32                       // that is submitted; 0: an answer
		says    string
	}{
		{"none before", func(*bot.Situation) past { return nil }, 1, ""},
		{"error", func(s *bot.Situation) past { return past{back(s, 1, ended)} }, 2, ""},
		{"failed", func(s *bot.Situation) past { return past{back(s, 1, failed)} }, 2, ""},
		{"cancelled", func(s *bot.Situation) past { return past{back(s, 1, v1alpha1.ReleaseCancelled)} }, 2, ""},
		{"stored before attempts were counted", func(s *bot.Situation) past { return past{back(s, 0, ended)} }, 2, ""},
		{"twice", func(s *bot.Situation) past { return past{back(s, 2, ended), back(s, 1, failed)} }, 3, ""},
		{"the first is collected", func(s *bot.Situation) past { return past{back(s, 2, ended)} }, 3, ""},
		{"another switch's", func(s *bot.Situation) past {
			other := back(s, 1, ended)
			other.Spec.Rollback.Switch = "uid-older"
			return past{other}
		}, 1, ""},
		{"under way", func(s *bot.Situation) past { return past{back(s, 2, running), back(s, 1, ended)} }, 0, "being left already"},
		{"under way, asked where another commit is meant", func(s *bot.Situation) past {
			s.PullRequest.Number, s.PullRequest.MergeCommit = otherPull, strings.Repeat("9c", 20) // it came in with the switch, below what is live
			s.AgainstLive, s.AgainstPrevious = bot.OrderOlder, bot.OrderNewer
			return past{back(s, 2, running), back(s, 1, ended)}
		}, 2, ""}, // the name exists, so it is joined
		{"succeeded since the application was read", func(s *bot.Situation) past {
			return past{back(s, 2, v1alpha1.ReleaseSucceeded), back(s, 1, ended)}
		}, 0, "`1b1b1b1` was left already, by `" + v1alpha1.RollbackName("shop", "uid-new", 2) + "`"},
		{"moved users since, but ended badly", func(s *bot.Situation) past {
			rel, now := back(s, 1, failed), metav1.NewTime(asked)
			rel.Status.Milestones.SwitchedAt = &now
			return past{rel}
		}, 0, "was left already"},
		{"the same comment again", func(s *bot.Situation) past {
			s.Cause.CommentID = 101
			return past{back(s, 2, ended), back(s, 1, ended)}
		}, 0, "asked before: `" + v1alpha1.RollbackName("shop", "uid-new", 1) + "`"},
		{"asked by the command line, twice", func(s *bot.Situation) past {
			s.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "wanda"}
			rel := back(s, 1, ended)
			rel.Spec.Cause = s.Cause
			return past{rel}
		}, 2, ""},
	}
	for _, tt := range tests {
		for _, at := range []stage{soaking, held, shrunk} {
			s := situation(at)
			s.Command.Verb = bot.Rollback
			s.Releases = append(tt.earlier(&s), s.Releases...)
			if at == soaking && strings.Contains(tt.name, "where another commit") {
				continue // its deploy is under way, and is not what the command means
			}
			d := bot.Decide(s)
			if tt.attempt == 0 {
				if d.Submit != nil || !strings.Contains(d.Answer, tt.says) || d.Note != "" {
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
