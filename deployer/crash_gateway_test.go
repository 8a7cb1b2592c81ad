package deployer

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// gatewayJourneys are those of [journeys] whose writes to HTTPRoutes are spoiled. Every other
// write is the same as on an Ingress.
var gatewayJourneys = []journey{
	{"deploy on a Gateway", func(t testing.TB) (*world, *v1alpha1.Release) {
		w, _ := newGatewayWorld(t)
		return w, w.submit("a")
	}, func(w *world, _ *v1alpha1.Release) {
		w.expectOnGateway(v1alpha1.Green, 3) // attached, switched
		w.expectSizes(1, 1)
		if n := w.countBuilds(); n != 1 {
			w.t.Errorf("%d builds were created", n)
		}
	}, "httproutes", "", deployOnGateway},
	{"rollback on a Gateway", func(t testing.TB) (*world, *v1alpha1.Release) {
		w, _ := newGatewayWorld(t)
		stop := w.run()
		w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
		w.expectOnGateway(v1alpha1.Green, 3)
		stop()
		return w, w.rollback()
	}, func(w *world, _ *v1alpha1.Release) {
		w.expectOnGateway(v1alpha1.Blue, 4)
		w.expectSizes(1, 1)
	}, "httproutes", "", []string{moveWeights, pointStandby}},
}

// The writes to HTTPRoutes.
const (
	attachRoute = "PATCH httproutes/shop add rules/backendRefs/weight add rules/backendRefs/-" +
		" add rules/backendRefs/weight add rules/backendRefs/-"
	moveWeights  = "PATCH httproutes/shop add rules/backendRefs/weight"
	pointStandby = "PATCH httproutes/standby replace /spec"
)

// deployOnGateway has those of a deploy that makes the standby route.
var deployOnGateway = []string{"POST httproutes", attachRoute, moveWeights, pointStandby}

// mixedJourney brings together users whom somebody else has divided.
var mixedJourney = journey{"rollback of mixed routes", func(t testing.TB) (*world, *v1alpha1.Release) {
	w, _ := newGatewayWorld(t)
	stop := w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.reweigh([]int{0}, 30, 70)
	back := w.mixedBack()
	stop()
	return w, w.rollbackBy(*back)
}, func(w *world, _ *v1alpha1.Release) {
	w.expectOnGateway(v1alpha1.Blue, 5) // attached, switched, divided by hand, and together again
	w.expectSizes(1, 1)
	if w.application().Status.Mixed != nil {
		w.t.Error("users are on both colours")
	}
}, "", "", slices.Concat(rollingBack, []string{moveWeights, pointStandby})}

// expectOnGateway checks both HTTPRoutes once nothing is active: which colour is live, that
// nothing else changed, how often the users' route changed, and where the standby route leads.
func (w *world) expectOnGateway(live v1alpha1.Color, generation int64) {
	w.t.Helper()
	w.settled()
	u := w.readRoute("shop")
	if got := u.GetGeneration(); got != generation {
		w.t.Errorf("the users' route is in its generation %d, want %d", got, generation)
	}
	weights := "blue 100 green 0"
	if live == v1alpha1.Green {
		weights = "blue 0 green 100"
	}
	if diff := cmp.Diff([]string{weights, weights}, w.weights()); diff != "" {
		w.t.Errorf("the users' route (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(plain(w.httpRoute()), plain(u)); diff != "" {
		w.t.Errorf("more than references changed (-before +after):\n%s", diff)
	}
	w.until("the standby route to lead to the other colour", func() bool { return w.standby() == live.Other() },
		func() string { return string(w.standby()) })
}
