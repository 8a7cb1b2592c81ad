package main

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

func TestCancelOnACommandLineIsRecordedAsOne(t *testing.T) {
	running := func(rel *v1alpha1.Release) { rel.Status.Phase = v1alpha1.ReleaseRunning }
	r := history(deployed(shaB, 1, v1alpha1.ReleaseRunning, running))
	if p := r.cancel("", ""); p.Cancel == nil || p.Cancel.Cancel.Reason != "turnout cancel while queued" {
		t.Errorf("recorded is %+v", p.Cancel)
	}
	if p := r.rollback(shaB); p.Cancel == nil || p.Cancel.Cancel.Reason != "turnout rollback before the switch" {
		t.Errorf("recorded is %+v", p.Cancel)
	}
}

func TestARowSaysWhyItsApplicationIsBlocked(t *testing.T) {
	r := history()
	r.app.Status.Phase = v1alpha1.PhaseBlocked
	r.app.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotGranted, Message: "grant it"}}
	var out strings.Builder
	check(t, printStates(&out, []stateJSON{stateOf(r.app, nil)}))
	if !strings.Contains(out.String(), "Blocked (NotGranted)") {
		t.Errorf("the rows are\n%s", out.String())
	}
}

func TestHoldingIsExplained(t *testing.T) {
	r := history()
	r.app.Status.Phase = v1alpha1.PhaseHolding
	var out strings.Builder
	check(t, printState(&out, stateOf(r.app, nil)))
	if !strings.Contains(out.String(), "Holding: nothing is under way, and the version that users left is kept running for a rollback") {
		t.Errorf("it says\n%s", out.String())
	}
}

func TestWhatWasJustApprovedIsNotShownAsWaitingForThat(t *testing.T) {
	rel := deployed(shaB, 1, v1alpha1.ReleaseWaiting, func(rel *v1alpha1.Release) {
		rel.Status.Step, rel.Status.Message = v1alpha1.StepPromote, "waits for /promote: spec.promotion.mode is Manual"
		rel.Status.Timeline = []v1alpha1.TimelineEntry{{Step: v1alpha1.StepPromote, Message: rel.Status.Message}}
	})
	p := plan{Decision: bot.Decision{Approve: &bot.ReleaseApproval{Release: rel.Name, Approval: v1alpha1.Approval{By: "carol"}}}}
	var out strings.Builder
	(&linePrinter{out: &out}).show(approved(&rel, p), time.Now())
	if got := out.String(); strings.Contains(got, "waits for") || !strings.Contains(got, "approved by carol, goes on by itself") {
		t.Errorf("it says\n%s", got)
	}
	if strings.Contains(rel.Status.Message, "approved") {
		t.Errorf("the release itself was changed: %+v", rel.Status)
	}
}
