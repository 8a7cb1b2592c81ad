package deployer

import (
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// ofOwed: an effect concerns what a release left owed to workers, or comes right before it.
func ofOwed(effect string) bool {
	return strings.Contains(effect, "/mail-") || slices.Contains([]string{"release: FinishedAt", owed, noLongerOwed}, effect)
}

// owedJourneys end before workers have followed users.
var owedJourneys = []journey{
	// The workers to return to work only once the rollback has ended.
	{"late rollback with a worker", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorldWithWorker(t)
		w.pretendDeployed()
		w.moveWorkers()
		w.awaitPods("my-python-app-mail", v1alpha1.Green)
		w.kubelet.hold("mail-blue")
		w.configure(`{"deadlines":{"stage":"2s"}}`)
		w.whenWritten(func(_, body string) bool { return strings.Contains(body, `"workersOwed":{`) }, func() {
			w.kubelet.release(t, "mail-blue")
		})
		return w, w.rollback()
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectRolledBack(rel)
		w.awaitOwedNothing()
		w.expectWorkers(workersSize, 0, false)
	}, "", "", slices.Concat(rollingBack, []string{
		moveUsers,
		recallBlue,
		"release: RecalledAt",
		"release: RelievedAt",
		owed,
		stopGreen,
		noLongerOwed,
		enterRepository,
	})},
	// Somebody changes the target when the old workers were told to end, which never do.
	{"interference with a worker", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorldWithWorker(t)
		w.lingerWorkers()
		w.whenWritten(func(what, body string) bool { return slices.Contains(effectsOf(what, body), stopBlue) }, func() {
			w.patch(w.deployment(v1alpha1.Green), `{"spec":{"template":{"metadata":{"annotations":{"someone":"else"}}}}}`)
		})
		return w, w.submit("a")
	}, func(w *world, rel *v1alpha1.Release) {
		if f := rel.Status.Failure; f.Class != v1alpha1.FaultInterference {
			w.t.Errorf("the failure is %+v", f)
		}
		w.awaitOwedNothing()
		w.expectWorkers(workersSize, 0, true)
		w.expectLive(v1alpha1.Blue)
		w.expectSizes(1, 1)
	}, "", v1alpha1.ReleaseError, slices.Concat(untilWorkers, []string{
		stopBlue,
		"release: FinishedAt",
		owed,
		recallBlue,
		stopGreen,
		noLongerOwed,
	})},
}
