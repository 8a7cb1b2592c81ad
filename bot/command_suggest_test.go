package bot_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot"
)

func TestANearMissNamesTheCommand(t *testing.T) {
	for typed, want := range map[string]bot.Verb{
		"promtoe": bot.Promote, "promot": bot.Promote, "Promote": bot.Promote, "promoted": bot.Promote, "permote": bot.Promote,
		"deploy":    bot.Promote,
		"roll-back": bot.Rollback, "rolback": bot.Rollback, "roll_back": bot.Rollback, "rollbak": bot.Rollback, "ROLLBACK": bot.Rollback,
		"cancle": bot.Cancel, "cancell": bot.Cancel, "re-try": bot.Retry, "rerty": bot.Retry,
		"lcok": bot.Lock, "locks": bot.Lock, "unlcok": bot.Unlock, "un-lock": bot.Unlock,
		"statsu": bot.Status, "staus": bot.Status, "hlep": bot.Help, "HELP": bot.Help,
	} {
		found, err := bot.ParseCommand("/" + typed + " 0123456")
		near := (*bot.NearMiss)(nil)
		if !errors.As(err, &near) || found != nil || near.Meant != want {
			t.Errorf("/%s is %v, %v; want the suggestion of /%s", typed, found, err, want)
			continue
		}
		if text := bot.Say(near.Fact()).Says; !strings.Contains(text, "`/"+typed+"`") || !strings.Contains(text, "`/"+string(want)+"`") {
			t.Errorf("the suggestion for /%s reads %q", typed, text)
		}
	}
}

// TestCommandsOfOtherBotsAreNoNearMiss has what is typed in pull requests for
// Prow, Tekton, GitHub's own slash commands, dispatchers and review bots.
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
		if found, err := bot.ParseCommand("/" + name); found != nil || err != nil {
			t.Errorf("/%s is %v, %v; want silence", name, found, err)
		}
	}
	for _, line := range []string{"/", "//", "/-", "/promtoe/now", "/stat.us", "/usr/bin/env", "/1", "/lock.json", "/status-pages/x"} {
		if found, err := bot.ParseCommand(line); found != nil || err != nil {
			t.Errorf("%s is %v, %v; want silence", line, found, err)
		}
	}
}
