package command_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// closedAt gives an application a contract that began a time after its last switch.
func closedAt(s *command.Situation, after time.Duration, c v1alpha1.ContractStatus) {
	switched := bottest.Asked.Add(-time.Minute)
	if last := s.App.Status.LastSwitch; last != nil {
		last.At = metav1.NewTime(switched)
	}
	c.Release, c.IntendedAt = "shop-contract-1b1b1b1b1b-1", metav1.NewMicroTime(switched.Add(after))
	s.App.Status.Schema = &v1alpha1.SchemaStatus{Contract: &c}
}

func TestNoRollbackIsSubmittedBehindAContract(t *testing.T) {
	earlier := metav1.NewMicroTime(bottest.Asked.Add(-30 * time.Second))
	tests := []struct {
		name     string
		at       bottest.Stage
		after    time.Duration
		contract v1alpha1.ContractStatus
		refused  string // part of the answer; empty if the rollback is submitted
	}{
		{"it runs", bottest.Held, time.Second, v1alpha1.ContractStatus{}, "is removing from the database what it needs"},
		{
			"it succeeded", bottest.Shrunk, time.Second,
			v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationChanged},
			"closed since 22 Nov 11:59 UTC: the contract `shop-contract-1b1b1b1b1b-1` removed",
		},
		{"it failed", bottest.Held, time.Second, v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationFailed}, "failed, and may have removed"},
		{"nobody knows", bottest.Held, time.Second, v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationUnknown}, "nobody knows"},
		{
			"declared done", bottest.Held, time.Second,
			v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationUnknown, DoneBy: "wanda"},
			"removed from the database what it needs",
		},
		{"it changed nothing", bottest.Held, time.Second, v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationUnchanged}, ""},
		{
			"it changed nothing, after one that failed", bottest.Held, time.Second,
			v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationUnchanged, EarlierAt: &earlier},
			"a contract before",
		},
		{"it was before the switch", bottest.Held, -time.Second, v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationChanged}, ""},
		{
			"another one is under way since", bottest.Soaking, -time.Second, v1alpha1.ContractStatus{Outcome: v1alpha1.MigrationChanged}, "",
		},
	}
	for _, tt := range tests {
		s := bottest.Situation(tt.at)
		s.Command.Verb = command.Rollback
		closedAt(&s, tt.after, tt.contract)
		d := command.Decide(s)
		said := report.Say(d.Fact).String()
		if tt.refused == "" {
			if d.Submit == nil {
				t.Errorf("%s: a rollback of a switch that it does not concern was not submitted: %s", tt.name, said)
			}
			continue
		}
		if d.Submit != nil || !d.Refused || !strings.Contains(said, tt.refused) || !strings.Contains(said, "Merge a commit that fixes") {
			t.Errorf("%s: got submit %v, refused %v, %q; want a refusal with %q", tt.name, d.Submit != nil, d.Refused, said, tt.refused)
		}
		s.Command.Verb = command.Status
		shown := report.Say(command.Decide(s).Fact).Says
		if !strings.Contains(shown, "🔐 The way back to") || strings.Contains(shown, "returns to") {
			t.Errorf("%s: /status does not say that the way back is closed:\n%s", tt.name, shown)
		}
	}
}

func TestARollbackUnderWayIsJoinedAlthoughAContractWouldRefuseIt(t *testing.T) {
	s := bottest.Situation(bottest.Held)
	s.Command.Verb = command.Rollback
	closedAt(&s, time.Second, v1alpha1.ContractStatus{})
	s.Releases = append([]v1alpha1.Release{back(&s, 1, v1alpha1.ReleaseRunning)}, s.Releases...)
	if d := command.Decide(s); d.Refused {
		t.Errorf("the rollback that runs is denied: %s", report.Say(d.Fact))
	}
}
