package command_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

func TestANearMissNamesTheCommand(t *testing.T) {
	for typed, want := range map[string]command.Verb{
		"promtoe": command.Promote, "promot": command.Promote, "Promote": command.Promote, "promoted": command.Promote,
		"permote":   command.Promote,
		"deploy":    command.Promote,
		"roll-back": command.Rollback, "rolback": command.Rollback, "roll_back": command.Rollback, "rollbak": command.Rollback,
		"ROLLBACK": command.Rollback,
		"cancle":   command.Cancel, "cancell": command.Cancel, "re-try": command.Retry, "rerty": command.Retry,
		"lcok": command.Lock, "locks": command.Lock, "unlcok": command.Unlock, "un-lock": command.Unlock,
		"statsu": command.Status, "staus": command.Status, "hlep": command.Help, "HELP": command.Help,
	} {
		found, err := command.Parse("/" + typed + " 0123456")
		near := (*command.NearMiss)(nil)
		if !errors.As(err, &near) || found != nil || near.Meant != want {
			t.Errorf("/%s is %v, %v; want the suggestion of /%s", typed, found, err, want)
			continue
		}
		if text := report.Say(near.Fact()).Says; !strings.Contains(text, "`/"+typed+"`") || !strings.Contains(text, "`/"+string(want)+"`") {
			t.Errorf("the suggestion for /%s reads %q", typed, text)
		}
	}
}

// TestCommandsOfOtherBotsAreNoNearMiss has commands for Prow, Tekton, GitHub's own slash
// commands, dispatchers and review bots.
func TestCommandsOfOtherBotsAreNoNearMiss(t *testing.T) {
	for name := range strings.FieldsSeq(`
		approve lgtm hold unhold assign unassign cc uncc close reopen test retest test-all retest-required ok-to-test
		label remove-label kind area sig priority triage milestone lifecycle remove-lifecycle hold-cancel override skip
		cherry-pick cherrypick rebase merge squash tide retitle verify verify-owners meow woof pony honk shrug joke
		good-first-issue help-wanted remove-help backport benchmark bench build ci run rerun re-run rerun-failed start stop
		stats state stash review re-review describe improve ask prompt update update-branch format fmt fix lint preview plan apply
		helm block unblock clock look release revert reset remove remote restart fallback callback feedback rollup rollout
		diff spam open duplicate table details code saved link url log logs lines note tests stale ping hello hero
		azp packit sync report retro replay reply queue dequeue enqueue canary cancel-all-jobs
	`) {
		if found, err := command.Parse("/" + name); found != nil || err != nil {
			t.Errorf("/%s is %v, %v; want silence", name, found, err)
		}
	}
	for _, line := range []string{"/", "//", "/-", "/promtoe/now", "/stat.us", "/usr/bin/env", "/1", "/lock.json", "/status-pages/x"} {
		if found, err := command.Parse(line); found != nil || err != nil {
			t.Errorf("%s is %v, %v; want silence", line, found, err)
		}
	}
}
