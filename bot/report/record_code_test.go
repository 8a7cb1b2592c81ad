package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/sourcetest"
)

// record are the files that declare what a release's record may say.
const record = "../../api/v1alpha1/release_*_types.go"

// TestEveryWaitIsSaid: every wait that a record may name has a text, and so does every
// reason for it, and everything that may supersede a release.
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
			t.Errorf("no wait with the reason %s has a text", because)
		}
	}
	for code := range surface.Texts {
		if strings.HasPrefix(string(code), "Waits") && !known[code] {
			t.Errorf("%s has a text, but no record has it", code)
		}
	}
}

// TestEveryFailureIsSaid: every reason for a failure has a text of its own, which includes
// the record's message.
func TestEveryFailureIsSaid(t *testing.T) {
	surface := report.Markdown()
	known := map[command.Code]bool{report.CodeFailed: true, command.CodeFailedBefore: true}
	for _, because := range sourcetest.Constants[v1alpha1.FailureBecause](t, record, 4) {
		code := report.FailureCode(v1alpha1.FailedSuperseded, because)
		said(t, surface, code)
		known[code] = true
	}
	for name, reason := range sourcetest.Constants[v1alpha1.FailureReason](t, record, 40) {
		if reason == v1alpha1.FailedSuperseded {
			continue // only its causes have texts
		}
		code := report.FailureCode(reason, "")
		said(t, surface, code)
		known[code] = true
		f := v1alpha1.Failure{
			Reason: reason, Release: "shop-2", Limit: &metav1.Duration{Duration: time.Hour}, Message: "pod p: *detail*", By: "otto",
		}
		text := surface.Failure(&f, command.Args{By: "ada", Reason: "/cancel at the step warm"})
		fact := slices.ContainsFunc([]string{": pod p: &#42;detail&#42;", "ada: /cancel", "within 1h", "shop-2"}, func(fact string) bool {
			return strings.Contains(text, fact)
		})
		if !fact || strings.HasPrefix(text, "pod p") {
			t.Errorf("%s is said as %q", name, text)
		}
	}
	for code := range surface.Texts {
		if strings.HasPrefix(string(code), "Failed") && !known[code] {
			t.Errorf("%s has a text, but no record has it", code)
		}
	}
}

// TestAFailureWithoutItsFactsIsShownByItsMessage: records of older versions have fewer
// facts, those of newer ones may have other reasons.
func TestAFailureWithoutItsFactsIsShownByItsMessage(t *testing.T) {
	for _, reason := range []v1alpha1.FailureReason{
		v1alpha1.FailedCancelled, v1alpha1.FailedNotApproved, v1alpha1.FailedSuperseded, v1alpha1.FailedRolledBack, "OfLater",
	} {
		f := v1alpha1.Failure{Reason: reason, Message: "as it was written"}
		if text := report.Markdown().Failure(&f, command.Args{}); text != f.Message {
			t.Errorf("%s is said as %q", reason, text)
		}
	}
}

// TestARecordWithoutFactsIsShownByItsMessage: a version that recorded no facts wrote it.
func TestARecordWithoutFactsIsShownByItsMessage(t *testing.T) {
	app, rel := bottest.Shop(), bottest.DeployOf(bottest.NewCommit, 1)
	rel.Status.Message = "waits for `something`"
	if got := report.Of(&app, rel, report.Around{}).Comment; !strings.Contains(got, "**Waits for &#96;something&#96;**") {
		t.Errorf("the comment says\n%s", got)
	}
}
