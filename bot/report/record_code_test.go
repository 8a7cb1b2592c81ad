package report_test

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/sourcetest"
)

// record declares what the record of a release may say.
const record = "../../api/v1alpha1/release_*_types.go"

// TestEveryWaitIsSaid: whatever a record says that a release waits for has words, and so
// has every reason for it, and everything that may take a release's place.
func TestEveryWaitIsSaid(t *testing.T) {
	surface := report.Markdown()
	known := map[command.Code]bool{report.CodeFailed: true, report.CodeMessage: true}
	waits := sourcetest.Constants[v1alpha1.WaitingFor](t, record, 4)
	reasons := sourcetest.Constants[v1alpha1.WaitingBecause](t, record, 4)
	for _, what := range waits {
		said(t, surface, report.WaitingCode(what, ""))
		known[report.WaitingCode(what, "")] = true
	}
	for _, because := range reasons {
		told := false
		for _, what := range waits {
			code := report.WaitingCode(what, because)
			if _, ok := surface.Texts[code]; ok {
				said(t, surface, code)
				known[code], told = true, true
			}
		}
		if !told {
			t.Errorf("no wait because of %s has words", because)
		}
	}
	for _, because := range sourcetest.Constants[v1alpha1.FailureBecause](t, record, 4) {
		code := report.FailureCode(v1alpha1.FailedSuperseded, because)
		said(t, surface, code)
		known[code] = true
	}
	said(t, surface, report.FailureCode(v1alpha1.FailedRolledBack, ""))
	known[report.FailureCode(v1alpha1.FailedRolledBack, "")] = true
	for code := range surface.Texts {
		ofRecords := strings.HasPrefix(string(code), "Waits") || strings.HasPrefix(string(code), "Failed")
		if ofRecords && !known[code] && code != command.CodeFailedBefore {
			t.Errorf("%s has words, and no record says so", code)
		}
	}
}

// TestARecordWithoutFactsIsShownByItsMessage: it is of a version that noted none.
func TestARecordWithoutFactsIsShownByItsMessage(t *testing.T) {
	app, rel := bottest.Shop(), bottest.DeployOf(bottest.NewCommit, 1)
	rel.Status.Message = "waits for `something`"
	if got := report.Of(&app, rel, report.Around{}).Comment; !strings.Contains(got, "**Waits for &#96;something&#96;**") {
		t.Errorf("the comment says\n%s", got)
	}
}
