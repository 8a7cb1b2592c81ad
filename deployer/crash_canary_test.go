package deployer

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// canaryJourneys are those of [journeys] in which a release divides users: the writes to
// the routes and the record of a canary, all that it does from its approval on, and all of one
// that is cancelled at 25 %.
var canaryJourneys = []journey{
	{"canary", startCanary, (*world).expectCanary, "httproutes", "", slices.Concat(deployOnGateway, dividing25)},
	{"record of a canary", startCanary, (*world).expectCanary, "releases/", "", recordOfCanary},
	{"approved canary", func(t testing.TB) (*world, *v1alpha1.Release) {
		w, _ := newGatewayWorld(t, steps(0, 5, 25), manual)
		w.autoscaleBoth()
		stop := w.run(quick("before"))
		rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
		stop()
		w.approve(rel)
		return w, rel
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectOnGateway(v1alpha1.Green, 5)
		w.expectSizes(2, 2)
		w.awaitMinimum(v1alpha1.Green, "1")
		w.awaitMinimum(v1alpha1.Blue, "2 1 raised to 2") // it is held
		if diff := cmp.Diff([]int32{5, 25}, weightsOf(rel)); diff != "" {
			w.t.Errorf("its weights (-want +got):\n%s", diff)
		}
	}, "", "", slices.Concat(recordOfCanary, dividing25, []string{
		claim,
		raiseMinimum(v1alpha1.Blue),
		stampScaler(v1alpha1.Green),
		pointStandby,
		moveWeights,
		returnMinimum(v1alpha1.Green),
		"application: LastSwitch",
		"application: no Active",
	})},
	{"cancelled canary", func(t testing.TB) (*world, *v1alpha1.Release) {
		w, _ := newGatewayWorld(t, steps(25, 5, 25))
		w.autoscaleBoth()
		stop := w.run(quick("before"))
		rel := w.await(w.submit("a"), "25 % of the users", has(25))
		stop()
		w.cancel(rel)
		return w, rel
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectOnGateway(v1alpha1.Blue, 5)
		w.expectSizes(2, 0)
		w.awaitMinimum(v1alpha1.Blue, "1")
		w.awaitMinimum(v1alpha1.Green, "1")
		if diff := cmp.Diff([]int32{5, 25, 0}, weightsOf(rel)); diff != "" {
			w.t.Errorf("its weights (-want +got):\n%s", diff)
		}
	}, "", v1alpha1.ReleaseCancelled, slices.Concat(untilApproved, until25, weight(0), untilCohortEnded, untilDiscarded, []string{
		claim,
		pointStandby,
		moveWeights,
		"release: WithdrawnAt",
		returnMinimum(v1alpha1.Green),
		returnMinimum(v1alpha1.Blue),
	})},
}

// What a canary of 5 and 25 % records.
var (
	until25          = slices.Concat(weight(5), weight(25), []string{"release: cohort", "release: cohort led"})
	untilCohortEnded = []string{"release: cohort ends", "release: cohort ended"}
	recordOfCanary   = slices.Concat(untilApproved, until25, untilCohortEnded, []string{"release: ShiftedAt"}, untilConfirmed, untilSoaked,
		[]string{"release: FinishedAt"})
)

// dividing25 are its writes to the routes until then.
var dividing25 = []string{moveWeights + " 95/5", moveWeights + " 75/25", pointStandby + " cohort"}

// weight is what a release records of one of its weights.
func weight(percent int) []string {
	name := fmt.Sprint("release: weight ", percent)
	return []string{name, name + " seen", name + " in effect"}
}

func startCanary(t testing.TB) (*world, *v1alpha1.Release) {
	t.Helper()
	w, _ := newGatewayWorld(t, steps(0, 5, 25))
	return w, w.submit("a")
}

// expectCanary checks everything that a canary leaves behind: each weight once.
func (w *world) expectCanary(rel *v1alpha1.Release) {
	w.t.Helper()
	w.expectOnGateway(v1alpha1.Green, 5) // attached, 5, 25, switched
	w.expectSizes(1, 1)
	if n := w.countBuilds(); n != 1 {
		w.t.Errorf("%d builds were created", n)
	}
	if diff := cmp.Diff([]int32{5, 25}, weightsOf(rel)); diff != "" {
		w.t.Errorf("its weights (-want +got):\n%s", diff)
	}
}
