package bot_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/internal/sourcetest"
)

// TestEveryWaitIsSaid: whatever a record says that a release waits for has words, and so
// has every reason for it, and everything that may take a release's place.
func TestEveryWaitIsSaid(t *testing.T) {
	surface := bot.Markdown()
	known := map[bot.Code]bool{bot.CodeFailed: true, bot.CodeMessage: true}
	waits := constants(t, "WaitingFor")
	reasons := constants(t, "WaitingBecause")
	for _, what := range waits {
		said(t, surface, bot.WaitingCode(v1alpha1.WaitingFor(what), ""))
		known[bot.WaitingCode(v1alpha1.WaitingFor(what), "")] = true
	}
	for _, because := range reasons {
		told := false
		for _, what := range waits {
			code := bot.WaitingCode(v1alpha1.WaitingFor(what), v1alpha1.WaitingBecause(because))
			if _, ok := surface.Texts[code]; ok {
				said(t, surface, code)
				known[code], told = true, true
			}
		}
		if !told {
			t.Errorf("no wait because of %s has words", because)
		}
	}
	for _, because := range constants(t, "FailureBecause") {
		code := bot.FailureCode(v1alpha1.FailedSuperseded, v1alpha1.FailureBecause(because))
		said(t, surface, code)
		known[code] = true
	}
	said(t, surface, bot.FailureCode(v1alpha1.FailedRolledBack, ""))
	known[bot.FailureCode(v1alpha1.FailedRolledBack, "")] = true
	for code := range surface.Texts {
		ofRecords := strings.HasPrefix(string(code), "Waits") || strings.HasPrefix(string(code), "Failed")
		if ofRecords && !known[code] && code != bot.CodeFailedBefore {
			t.Errorf("%s has words, and no record says so", code)
		}
	}
}

// TestARecordWithoutFactsIsShownByItsMessage: it is of a version that noted none.
func TestARecordWithoutFactsIsShownByItsMessage(t *testing.T) {
	app, rel := shop(), deployOf(newCommit, 1)
	rel.Status.Message = "waits for `something`"
	if got := bot.Report(&app, rel, bot.Around{}).Comment; !strings.Contains(got, "**Waits for &#96;something&#96;**") {
		t.Errorf("the comment says\n%s", got)
	}
}

// constants are the values of a type of the record.
func constants(t *testing.T, kind string) []string {
	t.Helper()
	return slices.Sorted(maps.Values(sourcetest.Strings(t, "../api/v1alpha1/release_*_types.go", kind, 4)))
}
