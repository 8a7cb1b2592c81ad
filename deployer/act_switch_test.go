package deployer

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A process ends right after it has moved users, and the Service that they reach is deleted. That they
// were moved is a fact all the same, and every rollback is judged by it.
func TestSwitchIsRecordedThoughItsServiceIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit("a")
	e := newEffects(after, true)
	e.at = moveUsers
	w.asked = e.intercept
	stop := w.runWith(e.config(w.cfg), quick("first"))
	w.until(e.at, e.happened, func() string { return strings.Join(e.effects(), "\n") })
	stop()
	if at := w.deployed().Status.Milestones.SwitchedAt; at != nil {
		t.Fatalf("the process recorded the switch at %s, though it ended", at)
	}
	check(t, w.kube.Delete(t.Context(), &corev1.Service{ObjectMeta: w.meta(w.application().Side(v1alpha1.Green).Service)}))
	w.asked = nil
	w.run(quick("second"))
	w.until("the switch to be recorded", func() bool { return w.deployed().Status.Milestones.SwitchedAt != nil },
		func() string { return w.deployed().Status.Message })
}
