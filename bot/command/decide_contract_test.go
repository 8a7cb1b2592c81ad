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

func TestDecideContract(t *testing.T) {
	const name = "shop-contract-1b1b1b1b1b-1"
	ended := func(o v1alpha1.MigrationOutcome) func(*command.Situation) {
		return func(s *command.Situation) {
			closedAt(s, time.Second, v1alpha1.ContractStatus{Outcome: o, Commit: bottest.NewCommit})
			s.Releases = append([]v1alpha1.Release{*command.NewContract(&s.App, v1alpha1.ContractRequest{
				Commit: bottest.NewCommit, Image: "app@sha256:new", Attempt: 1,
			}, v1alpha1.Cause{Kind: v1alpha1.CauseHold})}, s.Releases...)
			s.Releases[0].Status.Phase = v1alpha1.ReleaseFailed
		}
	}
	tests := []struct {
		name, typed string
		change      func(*command.Situation)
		attempt     int32 // of the submitted contract; 0 if none is
		refused     bool
		says        string
	}{
		{"the first", "/contract", nil, 1, false, "The contract of `1b1b1b1` begins as soon as nothing runs an older version"},
		{"behind a lock", "/contract", func(s *command.Situation) { s.App.Status.Lock = &v1alpha1.Lock{By: "otto"} }, 1, false, "otto"},
		{
			"none in the spec", "/contract", func(s *command.Situation) { s.App.Spec.Migrations = nil }, 0, true,
			"spec.migrations.contract is not set",
		},
		{"not ours", "/contract", func(s *command.Situation) { s.App.Status.Live.Commit = "" }, 0, true, "did not release the live version"},
		{"succeeded before", "/contract", ended(v1alpha1.MigrationChanged), 0, false, "was the contract of"},
		{"never ran before", "/contract", ended(v1alpha1.MigrationNotRun), 2, false, "begins as soon as"},
		{"failed before", "/contract", ended(v1alpha1.MigrationFailed), 0, true, "`/contract retry` then runs it again; `/contract done`"},
		{"retry", "/contract retry", ended(v1alpha1.MigrationFailed), 2, false, "begins as soon as"},
		{"retry of an unknown outcome", "/contract retry", ended(v1alpha1.MigrationUnknown), 2, false, "begins as soon as"},
		{"retry of a success", "/contract retry", ended(v1alpha1.MigrationChanged), 0, true, "failed or has an unknown outcome"},
		{"done", "/contract done the column is gone", ended(v1alpha1.MigrationUnknown), 2, false, "`" + name + "` is declared done"},
		{"done without a reason", "/contract done", ended(v1alpha1.MigrationUnknown), 0, true, "followed by your reason"},
		{"done without a contract", "/contract done because", nil, 0, true, "failed or has an unknown outcome"},
		{"under way", "/contract", func(s *command.Situation) {
			ended("")(s)
			s.Releases[0].Status.Phase = v1alpha1.ReleaseRunning
		}, 0, false, "`" + name + "` is already under way"},
	}
	for _, tt := range tests {
		s := bottest.Situation(bottest.Held)
		s.App.Spec.Migrations = &v1alpha1.MigrationsSpec{Contract: &v1alpha1.ContractSpec{Command: []string{"migrate"}}}
		if tt.change != nil {
			tt.change(&s)
		}
		typed, err := command.Parse(tt.typed)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		s.Command = *typed
		d := command.Decide(s)
		if said := report.Say(d.Fact).String(); d.Refused != tt.refused || !strings.Contains(said, tt.says) {
			t.Errorf("%s: refused %v, %q; want %q", tt.name, d.Refused, said, tt.says)
		}
		if (d.Submit != nil) != (tt.attempt > 0) {
			t.Errorf("%s: submitted %v", tt.name, d.Submit)
			continue
		}
		if d.Submit == nil {
			continue
		}
		got := d.Submit.Spec.Contract
		if got.Attempt != tt.attempt || got.Commit != bottest.NewCommit || got.Image != "app@sha256:new" || got.Done != typed.Reason ||
			d.Submit.Name != v1alpha1.ContractName("shop", bottest.NewCommit, tt.attempt) {
			t.Errorf("%s: submitted %s %+v", tt.name, d.Submit.Name, got)
		}
	}
}

func TestParseContract(t *testing.T) {
	for typed, want := range map[string]command.Command{
		"/contract":                       {Verb: command.Contract},
		"/contract shop":                  {Verb: command.Contract, Application: "shop"},
		"/contract shop retry":            {Verb: command.Contract, Application: "shop", Mode: "retry"},
		"/contract done it's gone: `x`":   {Verb: command.Contract, Mode: "done", Reason: "it's gone: `x`"},
		"/contract a/shop done  two  one": {Verb: command.Contract, Application: "a/shop", Mode: "done", Reason: "two one"},
	} {
		got, err := command.Parse(typed)
		if err != nil || *got != want {
			t.Errorf("%s: got %+v, %v", typed, got, err)
		}
	}
	for _, typed := range []string{"/contract retry now", "/contract shop again", "/contract --all", "/contract shop shop retry"} {
		if got, err := command.Parse(typed); err == nil {
			t.Errorf("%s: understood as %+v", typed, got)
		}
	}
}
