package bot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

func TestDecide(t *testing.T) {
	elsewhere := func(s *bot.Situation) {
		s.PullRequest = bot.PullRequest{Number: 9, Base: "main", Merged: true, MergeCommit: strings.Repeat("9c", 20)}
	}
	commit := func(c string) func(*bot.Situation) { return func(s *bot.Situation) { s.Command.Commit = c } }
	order := func(o bot.Order) func(*bot.Situation) { return func(s *bot.Situation) { s.AgainstLive = o } }
	const p, r = bot.Promote, bot.Rollback
	tests := []struct {
		name   string
		verb   bot.Verb
		at     stage
		change func(*bot.Situation)
		want   string // kind
		says   string // part of the text
	}{
		{"promote, newer than live", p, nothing, nil, "deploy approved", ""},
		{"promote, nothing known is live", p, nothing, order(bot.OrderUnknown), "deploy approved", ""},
		{"promote, live by another release", p, nothing, order(bot.OrderSame), "answer", "live already"},
		{"promote, older", p, nothing, order(bot.OrderOlder), "refuse", "`/rollback 0a0a0a0`"},
		{"promote, diverged", p, nothing, order(bot.OrderDiverged), "refuse", "Merge both"},
		{"promote, right commit", p, waitsFor, commit(newCommit[:7]), "approve", ""},
		{"promote, other commit", p, waitsFor, commit(oldCommit[:7]), "refuse", "`1b1b1b1`"},
		{"promote, open", p, nothing, func(s *bot.Situation) { s.PullRequest.Merged = false }, "refuse", "not merged"},
		{"promote, other branch", p, waitsFor, func(s *bot.Situation) { s.PullRequest.Base = "next" }, "refuse", "`main`"},
		{"promote, before the gate", p, running, nil, "approve", "as soon as it has passed its health gate"},
		{"promote, waiting", p, waitsFor, nil, "approve", ""},
		{
			"promote, approved", p, waitsFor, func(s *bot.Situation) { s.Releases[0].Spec.Approval = &v1alpha1.Approval{By: "otto"} }, "answer",
			"by otto already",
		},
		{
			"promote, being cancelled", p, waitsFor, func(s *bot.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "otto"} }, "refuse",
			"being undone",
		},
		{"promote, switching", p, switching, nil, "answer", "right now"},
		{"promote, soaking", p, soaking, nil, "answer", "live on green already"},
		{"promote, held", p, held, nil, "answer", "live already"},
		{"promote, hold over", p, shrunk, nil, "answer", "live already"},
		{"promote, rolled back", p, rolledBack, nil, "refuse", "was rolled back by otto (`shop-rollback-1`) at 22 Nov 11:00 UTC"},
		{"promote, failed", p, failed, nil, "refuse", "pod crashed"},
		{"promote, cancelled", p, cancelled, nil, "deploy approved", ""},
		{"promote, late", p, waitsFor, func(s *bot.Situation) { s.Now = asked.Add(15*time.Minute + time.Second) }, "refuse", "I was away"},

		{
			"rollback, nothing to return to", r, nothing, func(s *bot.Situation) { s.PullRequest.MergeCommit = oldCommit }, "refuse",
			"nothing to return to",
		},
		{"rollback, before the gate", r, running, nil, "cancel", "`0a0a0a0` stays live"},
		{"rollback, waiting", r, waitsFor, nil, "cancel", "have not seen it"},
		{
			"rollback, cancelled already", r, waitsFor, func(s *bot.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "otto"} },
			"answer", "cancelled by otto already",
		},
		{"rollback, switching", r, switching, nil, "rollback", "as soon as it is confirmed or has failed"},
		{
			"rollback, restoring", r, switching, func(s *bot.Situation) { s.Releases[0].Status.Phase = v1alpha1.ReleaseUndoing }, "answer",
			"being undone already",
		},
		{"rollback, soaking", r, soaking, nil, "rollback", ""},
		{"rollback, held", r, held, nil, "rollback", ""},
		{"rollback, hold over", r, shrunk, nil, "rollback", "are started and found healthy"},
		{"rollback, again", r, rolledBack, nil, "answer", "`0a0a0a0` is live. Nothing was changed."},
		{"rollback, elsewhere", r, held, elsewhere, "refuse", "`/rollback 1b1b1b1`"},
		{"rollback, elsewhere by commit", r, held, func(s *bot.Situation) { elsewhere(s); s.Command.Commit = newCommit[:8] }, "rollback", ""},
		{"rollback, wrong commit", r, held, commit(oldCommit[:8]), "refuse", "`1b1b1b1` on green is"},
		{"rollback, brought in by a later merge", r, held, func(s *bot.Situation) {
			elsewhere(s)
			s.AgainstLive, s.AgainstPrevious = bot.OrderOlder, bot.OrderNewer
		}, "rollback", ""},
		{"rollback, live since before", r, held, func(s *bot.Situation) {
			elsewhere(s)
			s.AgainstLive, s.AgainstPrevious = bot.OrderOlder, bot.OrderOlder
		}, "refuse", "not what is live"},
		{"rollback, moved by hand", r, held, func(s *bot.Situation) { s.App.Status.Live.Color = v1alpha1.Blue }, "refuse", "Look at the Ingress"},
		{"rollback, under way", r, held, func(s *bot.Situation) {
			back := *bot.NewRollback(&s.App, v1alpha1.RollbackSpec{From: newVersion, To: oldVersion, Switch: "uid-new"},
				v1alpha1.Cause{CommentID: 2})
			s.Releases = append([]v1alpha1.Release{back}, s.Releases...)
		}, "answer", "being left already"},
		{"status", bot.Status, held, nil, "answer", "`1b1b1b1` is live on green"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := situation(tt.at)
			s.Command.Verb = tt.verb
			if tt.change != nil {
				tt.change(&s)
			}
			d := bot.Decide(s)
			got, text := kind(d)
			if got != tt.want || !strings.Contains(text, tt.says) {
				t.Errorf("decided %s, %q; want %s, …%s…", got, text, tt.want, tt.says)
			}
			if says := bot.Say(d.Fact); got == "refuse" && (says.Says == "" || says.Next == "") {
				t.Errorf("refused with %+v, want a reason and a next move", says)
			}
		})
	}
}

func TestDecideTakesBackTheSwitchThatTheRecordNames(t *testing.T) {
	for _, at := range []stage{switching, soaking, held, shrunk} {
		s := situation(at)
		s.Command.Verb = bot.Rollback
		rel := bot.Decide(s).Submit
		spec := rel.Spec.Rollback
		if !v1alpha1.SameVersion(spec.From, newVersion) || !v1alpha1.SameVersion(spec.To, oldVersion) || spec.Switch != "uid-new" {
			t.Errorf("stage %d: rollback %+v, want from new to old, taking back uid-new", at, spec)
		}
		if want := v1alpha1.RollbackName("shop", "uid-new", 1); rel.Name != want || spec.Attempt != 1 {
			t.Errorf("stage %d: name %s, attempt %d, want %s, attempt 1", at, rel.Name, spec.Attempt, want)
		}
	}
}

func TestDecideStartsTheNextAttemptOfACancelledCommit(t *testing.T) {
	s := situation(cancelled)
	s.Command.Verb = bot.Promote
	rel := bot.Decide(s).Submit
	if rel.Spec.Deploy.Attempt != 2 || rel.Name != v1alpha1.DeployName("shop", newCommit, 2) || rel.Spec.Approval.By != "wanda" {
		t.Errorf("release %s, attempt %d, approved %+v; want attempt 2 approved by wanda", rel.Name, rel.Spec.Deploy.Attempt, rel.Spec.Approval)
	}
}
