package report_test

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// TestForgedCauseIsShownAsAClaim: if no policy decided who may write a cause, the comment
// must not read as if alice had approved.
func TestForgedCauseIsShownAsAClaim(t *testing.T) {
	t.Parallel()
	app := bottest.Shop()
	said := v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "alice", URL: "https://github.com/acme/shop/pull/1#issuecomment-1"}
	rel := command.NewDeploy(&app, bottest.Hash("a"), 1, said)
	rel.Spec.Approval = &v1alpha1.Approval{By: "alice", Cause: said}
	rel.Status.Phase = v1alpha1.ReleaseRunning
	for attestation, want := range map[v1alpha1.Attestation]int{v1alpha1.CausesAttested: 0, v1alpha1.CausesClaimed: 2} {
		rel.Status.Attestation = attestation
		report := report.Of(&app, rel, report.Around{Web: "https://github.com"})
		if n := strings.Count(report.Comment, "claims: asked for by") + strings.Count(report.Comment, "claims: approved by"); n != want {
			t.Errorf("%s: %d lines are claims, want %d:\n%s", attestation, n, want, report.Comment)
		}
		if strings.Contains(report.Headline, "claims: alice") != (want > 0) {
			t.Errorf("%s: the headline is %q", attestation, report.Headline)
		}
	}
}
