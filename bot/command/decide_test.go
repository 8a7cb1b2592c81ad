package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

func TestDecide(t *testing.T) {
	elsewhere := func(s *command.Situation) {
		s.PullRequest = command.PullRequest{Number: 9, Base: "main", Merged: true, MergeCommit: strings.Repeat("9c", 20)}
	}
	commit := func(c string) func(*command.Situation) { return func(s *command.Situation) { s.Command.Commit = c } }
	order := func(o command.Order) func(*command.Situation) {
		return func(s *command.Situation) { s.AgainstLive = o }
	}
	const p, r = command.Promote, command.Rollback
	tests := []struct {
		name   string
		verb   command.Verb
		at     bottest.Stage
		change func(*command.Situation)
		want   string // kind
		says   string // part of the text
	}{
		{"promote, newer than live", p, bottest.Nothing, nil, "deploy approved", ""},
		{"promote, nothing known is live", p, bottest.Nothing, order(command.OrderUnknown), "deploy approved", ""},
		{"promote, live by another release", p, bottest.Nothing, order(command.OrderSame), "answer", "already live"},
		{"promote, older", p, bottest.Nothing, order(command.OrderOlder), "refuse", "`/rollback 0a0a0a0`"},
		{"promote, diverged", p, bottest.Nothing, order(command.OrderDiverged), "refuse", "Merge both"},
		{"promote, right commit", p, bottest.WaitsFor, commit(bottest.NewCommit[:7]), "approve", ""},
		{"promote, other commit", p, bottest.WaitsFor, commit(bottest.OldCommit[:7]), "refuse", "`1b1b1b1`"},
		{"promote, open", p, bottest.Nothing, func(s *command.Situation) { s.PullRequest.Merged = false }, "refuse", "not merged"},
		{"promote, other branch", p, bottest.WaitsFor, func(s *command.Situation) { s.PullRequest.Base = "next" }, "refuse", "`main`"},
		{"promote, before the gate", p, bottest.Running, nil, "approve", "as soon as it has passed its health gate"},
		{"promote, waiting", p, bottest.WaitsFor, nil, "approve", ""},
		{
			"promote, approved", p, bottest.WaitsFor, func(s *command.Situation) { s.Releases[0].Spec.Approval = &v1alpha1.Approval{By: "otto"} },
			"answer",
			"by otto already",
		},
		{
			"promote, being cancelled", p, bottest.WaitsFor, func(s *command.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "otto"} },
			"refuse",
			"being undone",
		},
		{"promote, switching", p, bottest.Switching, nil, "answer", "right now"},
		{"promote, soaking", p, bottest.Soaking, nil, "answer", "already live on green"},
		{"promote, held", p, bottest.Held, nil, "answer", "already live"},
		{"promote, hold over", p, bottest.Shrunk, nil, "answer", "already live"},
		{"promote, rolled back", p, bottest.RolledBack, nil, "refuse", "was rolled back by otto (`shop-rollback-1`) at 22 Nov 11:00 UTC"},
		{"promote, failed", p, bottest.Failed, nil, "refuse", "pod crashed"},
		{"promote, cancelled", p, bottest.Cancelled, nil, "deploy approved", ""},
		{
			"promote, late", p, bottest.WaitsFor, func(s *command.Situation) { s.Now = bottest.Asked.Add(15*time.Minute + time.Second) }, "refuse",
			"I was away",
		},

		{
			"rollback, nothing to return to", r, bottest.Nothing, func(s *command.Situation) { s.PullRequest.MergeCommit = bottest.OldCommit },
			"refuse",
			"nothing to return to",
		},
		{"rollback, before the gate", r, bottest.Running, nil, "cancel", "`0a0a0a0` stays live"},
		{"rollback, waiting", r, bottest.WaitsFor, nil, "cancel", "have not seen it"},
		{
			"rollback, cancelled already", r, bottest.WaitsFor,
			func(s *command.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "otto"} },
			"answer", "cancelled by otto already",
		},
		{"rollback, switching", r, bottest.Switching, nil, "rollback", "as soon as it is confirmed or has failed"},
		{
			"rollback, restoring", r, bottest.Switching, func(s *command.Situation) { s.Releases[0].Status.Phase = v1alpha1.ReleaseUndoing },
			"answer",
			"being undone already",
		},
		{"rollback, soaking", r, bottest.Soaking, nil, "rollback", ""},
		{"rollback, held", r, bottest.Held, nil, "rollback", ""},
		{"rollback, hold over", r, bottest.Shrunk, nil, "rollback", "have started and are healthy"},
		{"rollback, again", r, bottest.RolledBack, nil, "answer", "`0a0a0a0` is live. Nothing was changed."},
		{"rollback, elsewhere", r, bottest.Held, elsewhere, "refuse", "`/rollback 1b1b1b1`"},
		{
			"rollback, elsewhere by commit", r, bottest.Held, func(s *command.Situation) { elsewhere(s); s.Command.Commit = bottest.NewCommit[:8] },
			"rollback", "",
		},
		{"rollback, wrong commit", r, bottest.Held, commit(bottest.OldCommit[:8]), "refuse", "`1b1b1b1` on green is"},
		{"rollback, brought in by a later merge", r, bottest.Held, func(s *command.Situation) {
			elsewhere(s)
			s.AgainstLive, s.AgainstPrevious = command.OrderOlder, command.OrderNewer
		}, "rollback", ""},
		{"rollback, live since before", r, bottest.Held, func(s *command.Situation) {
			elsewhere(s)
			s.AgainstLive, s.AgainstPrevious = command.OrderOlder, command.OrderOlder
		}, "refuse", "not live"},
		{
			"rollback, moved by hand", r, bottest.Held, func(s *command.Situation) { s.App.Status.Live.Color = v1alpha1.Blue }, "refuse",
			"Look at the Ingress",
		},
		{"rollback, under way", r, bottest.Held, func(s *command.Situation) {
			back := *command.NewRollback(&s.App, v1alpha1.RollbackSpec{From: bottest.NewVersion, To: bottest.OldVersion, Switch: "uid-new"},
				v1alpha1.Cause{CommentID: 2})
			s.Releases = append([]v1alpha1.Release{back}, s.Releases...)
		}, "answer", "is already under way"},
		{"status", command.Status, bottest.Held, nil, "answer", "`1b1b1b1` is live on green"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := bottest.Situation(tt.at)
			s.Command.Verb = tt.verb
			if tt.change != nil {
				tt.change(&s)
			}
			d := command.Decide(s)
			got, text := bottest.Kind(d)
			if got != tt.want || !strings.Contains(text, tt.says) {
				t.Errorf("decided %s, %q; want %s, …%s…", got, text, tt.want, tt.says)
			}
			if says := report.Say(d.Fact); got == "refuse" && (says.Says == "" || says.Next == "") {
				t.Errorf("refused with %+v, want a reason and a next move", says)
			}
		})
	}
}

func TestDecideTakesBackTheSwitchThatTheRecordNames(t *testing.T) {
	for _, at := range []bottest.Stage{bottest.Switching, bottest.Soaking, bottest.Held, bottest.Shrunk} {
		s := bottest.Situation(at)
		s.Command.Verb = command.Rollback
		rel := command.Decide(s).Submit
		spec := rel.Spec.Rollback
		if !v1alpha1.SameVersion(spec.From, bottest.NewVersion) || !v1alpha1.SameVersion(spec.To, bottest.OldVersion) ||
			spec.Switch != "uid-new" {
			t.Errorf("stage %d: rollback %+v, want from new to old, taking back uid-new", at, spec)
		}
		if want := v1alpha1.RollbackName("shop", "uid-new", 1); rel.Name != want || spec.Attempt != 1 {
			t.Errorf("stage %d: name %s, attempt %d, want %s, attempt 1", at, rel.Name, spec.Attempt, want)
		}
	}
}

func TestDecideStartsTheNextAttemptOfACancelledCommit(t *testing.T) {
	s := bottest.Situation(bottest.Cancelled)
	s.Command.Verb = command.Promote
	rel := command.Decide(s).Submit
	if rel.Spec.Deploy.Attempt != 2 || rel.Name != v1alpha1.DeployName("shop", bottest.NewCommit, 2) || rel.Spec.Approval.By != "wanda" {
		t.Errorf("release %s, attempt %d, approved %+v; want attempt 2 approved by wanda", rel.Name, rel.Spec.Deploy.Attempt, rel.Spec.Approval)
	}
}
