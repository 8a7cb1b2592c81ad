package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
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
	r.app.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse,
		Reason: v1alpha1.ReasonNotGranted, Message: "grant it",
	}}
	var out strings.Builder
	check(t, printStates(&out, []stateJSON{stateOf(r.app, nil)}, false))
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

// The deployer has not seen the approval yet when the command shows the release.
func TestWhatWasJustApprovedIsNotShownAsWaitingForThat(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]*v1alpha1.Lock{
		"goes on by itself": nil, "; waits: locked by dora": {By: "dora", At: *now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.status(func(st *v1alpha1.BlueGreenStatus) { st.Lock = lock })
			check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, shaB, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})))
			rel := s.release(v1alpha1.DeployName("shop", shaB, 1))
			rel.Status.Phase, rel.Status.Step, rel.Status.Message = v1alpha1.ReleaseWaiting, v1alpha1.StepPromote, "waits for /promote: "+
				"spec.promotion.mode is Manual"
			rel.Status.Timeline = []v1alpha1.TimelineEntry{{Step: v1alpha1.StepPromote, StartedAt: metav1.NowMicro(), Message: rel.Status.Message}}
			check(t, s.admin.Status().Update(t.Context(), rel))
			for _, args := range [][]string{{}, {}, {"-o", "json"}} { // the second time it was already approved
				got := s.run(append([]string{"promote", "shop", "--no-wait"}, args...)...)
				if got.err != nil || strings.Contains(got.stdout, "/promote") || !strings.Contains(got.stdout, "approved by carol") ||
					!strings.Contains(got.stdout, name) {
					t.Errorf("%v, %v: it says\n%s%s", args, got.err, got.stdout, got.stderr)
				}
			}
			now := s.release(rel.Name)
			if now.Spec.Approval == nil || now.Spec.Approval.Cause.Kind != v1alpha1.CauseCLI || now.Status.Message != rel.Status.Message {
				t.Errorf("recorded is %+v, %q", now.Spec.Approval, now.Status.Message)
			}
		})
	}
}

func TestCancelAsTypedIsRecordedAsTheCommandLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, shaB, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})))
	if got := s.run("cancel", "shop", "--no-wait"); got.err != nil || strings.Contains(got.stdout+got.stderr, "/cancel") {
		t.Errorf("%v: it says\n%s%s", got.err, got.stdout, got.stderr)
	}
	c := s.release(v1alpha1.DeployName("shop", shaB, 1)).Spec.Cancel
	if c == nil || c.Cause.Kind != v1alpha1.CauseCLI || !strings.HasPrefix(c.Reason, "turnout cancel") ||
		strings.Contains(c.Reason, "/cancel") {
		t.Errorf("recorded is %+v", c)
	}
}

// A row of the overview says why an application is blocked, and its own page what that
// means.
func TestStatusAsTypedSaysWhyItIsBlockedAndWhatHoldingIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	expect := func(want string, args ...string) {
		t.Helper()
		if got := s.run(append([]string{"status"}, args...)...); got.err != nil || !strings.Contains(got.stdout, want) {
			t.Errorf("status %v, %v: the output is\n%s\nwant %q", args, got.err, got.stdout, want)
		}
	}
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Phase = v1alpha1.PhaseBlocked
		st.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotInstalled,
			Message: "the App is not installed on acme/shop", LastTransitionTime: *now(),
		}}
	})
	expect("Blocked (NotInstalled)")
	expect("NotInstalled: the App is not installed on acme/shop", "shop")
	s.status(func(st *v1alpha1.BlueGreenStatus) { st.Phase, st.Conditions = v1alpha1.PhaseHolding, nil })
	expect("Holding")
	expect("Holding: nothing is under way, and the version that users left is kept running for a rollback", "shop")
}
