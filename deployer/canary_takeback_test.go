package deployer

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A later version that contains what users were taken back from waits for a person, whether a
// /rollback stopped the canary or came after something else had. A record of an earlier version,
// which knows only spec.cancel.rollsBack, means the same.
func TestRollbackDuringACanaryIsRememberedWhateverStoppedIt(t *testing.T) {
	t.Parallel()
	by := func(who string, back bool) v1alpha1.Cancel {
		return v1alpha1.Cancel{By: who, At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}, RollsBack: back}
	}
	for name, tt := range map[string]struct {
		ask func(*v1alpha1.ReleaseSpec)
		by  string // who is remembered; "" if nobody is
	}{
		"a cancel":                        {func(s *v1alpha1.ReleaseSpec) { s.Ask(by("otto", false)) }, ""},
		"a rollback":                      {func(s *v1alpha1.ReleaseSpec) { s.Ask(by("dora", true)) }, "dora"},
		"a rollback of an earlier record": {func(s *v1alpha1.ReleaseSpec) { c := by("dora", true); s.Cancel = &c }, "dora"},
		"a cancel, then a rollback":       {func(s *v1alpha1.ReleaseSpec) { s.Ask(by("otto", false)); s.Ask(by("dora", true)) }, "dora"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, steps(25, 25))
			w.run()
			rel := w.await(w.submit("a"), "25 % of the users", has(25))
			w.askOf(rel, tt.ask)
			w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
			w.settled()
			left := w.application().Status.RolledBack
			if tt.by == "" && len(left) > 0 || tt.by != "" && (len(left) != 1 || left[0].By != tt.by || left[0].Commit != rel.Spec.Deploy.Commit) {
				t.Errorf("it remembers %+v", left)
			}
		})
	}
}

// askOf changes what is asked of a release.
func (w *world) askOf(rel *v1alpha1.Release, ask func(*v1alpha1.ReleaseSpec)) {
	w.t.Helper()
	now := rel.DeepCopy()
	w.get(now)
	before := now.DeepCopy()
	ask(&now.Spec)
	check(w.t, w.kube.Patch(w.t.Context(), now, client.MergeFrom(before)))
}
