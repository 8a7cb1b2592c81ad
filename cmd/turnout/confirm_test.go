package main

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

func TestConfirmRecordsWhoSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if got := s.run("confirm", "shop"); got.code != 0 || !strings.Contains(got.stdout, "shop has no switch that waits to be confirmed") {
		t.Errorf("with nothing to confirm the exit status is %d: %s%s", got.code, got.stdout, got.stderr)
	}
	check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, shaA, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})))
	rel := s.release(v1alpha1.DeployName("shop", shaA, 1))
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.LastSwitch = &v1alpha1.SwitchRecord{
			Release: rel.Name, UID: string(rel.UID), Kind: "Deploy", At: metav1.Now(),
			From: v1alpha1.Version{Color: v1alpha1.Blue}, To: v1alpha1.Version{Color: v1alpha1.Green},
		}
		meta.SetStatusCondition(&st.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionSwitchUnconfirmed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNoAddress, Message: "nothing says so",
		})
	})
	if got := s.run("status", "shop"); !strings.Contains(got.stdout, "NoAddress: nothing says so") {
		t.Errorf("the status does not report it:\n%s", got.stdout)
	}
	for _, by := range []string{"dora", "eve"} { // the first one stands
		if got := s.run("confirm", "shop", "--by", by); got.code != 0 || !strings.Contains(got.stdout, "users of shop reach green, says ") {
			t.Errorf("it ends with %d: %s%s", got.code, got.stdout, got.stderr)
		}
	}
	said := s.release(rel.Name).Spec.Confirmations
	if len(said) != 1 || said[0].Color != v1alpha1.Green || said[0].Cause.Claims != "dora" || said[0].By != said[0].Cause.Actor ||
		said[0].By == "" || said[0].Cause.Kind != v1alpha1.CauseCLI || said[0].At.IsZero() {
		t.Errorf("the record is %+v", said)
	}
	check(t, s.admin.Delete(t.Context(), rel))
	if got := s.run("confirm", "shop"); got.code != 1 || !strings.Contains(got.err.Error(), "was deleted") ||
		!strings.Contains(got.err.Error(), "spec.url") {
		t.Errorf("without its release the exit status is %d: %v", got.code, got.err)
	}
}

// A canary goes back, and nothing shows that users have left its version: they are with the other
// one.
func TestConfirmOfACanaryThatGoesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, shaA, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})))
	rel := s.release(v1alpha1.DeployName("shop", shaA, 1))
	rel.Status.Milestones.Target = v1alpha1.Green
	check(t, s.admin.Status().Update(t.Context(), rel))
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Active = &v1alpha1.Claim{Release: rel.Name, UID: string(rel.UID), Holder: "turnout-0", RenewedAt: metav1.NowMicro()}
		meta.SetStatusCondition(&st.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionWithdrawUnconfirmed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonOldRoutes, Message: "nothing says so",
		})
	})
	if got := s.run("status", "shop"); !strings.Contains(got.stdout, "OldRoutes: nothing says so") {
		t.Errorf("the status does not report it:\n%s", got.stdout)
	}
	for range 2 {
		if got := s.run("confirm", "shop"); got.code != 0 || !strings.Contains(got.stdout, "users of shop are all on blue, says ") {
			t.Errorf("it ends with %d: %s%s", got.code, got.stdout, got.stderr)
		}
	}
	if said := s.release(rel.Name).Spec.Confirmations; len(said) != 1 || said[0].Color != v1alpha1.Blue {
		t.Errorf("the record is %+v", said)
	}
}
