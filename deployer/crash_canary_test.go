package deployer

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// canaryJourneys are those of [journeys] in which a release divides users: the writes to
// the routes and the record of a canary, all that it does from its approval on, and all of one
// that is cancelled at 25 %.
var canaryJourneys = []journey{
	{"canary", startCanary, (*world).expectCanary, "httproutes", "", []string{
		"POST httproutes",
		"PATCH httproutes/shop add rules/backendRefs/weight add rules/backendRefs/-" +
			" add rules/backendRefs/weight add rules/backendRefs/-",
		"PATCH httproutes/shop add rules/backendRefs/weight 95/5",
		"PATCH httproutes/shop add rules/backendRefs/weight 75/25",
		"PATCH httproutes/shop add rules/backendRefs/weight",
		"PATCH httproutes/standby replace /spec cohort",
		"PATCH httproutes/standby replace /spec",
	}},
	{"record of a canary", startCanary, (*world).expectCanary, "releases/", "", []string{
		"release: OnBranch",
		"release: ClaimedAt",
		"release: Build.IntendedAt",
		"release: Build.ID",
		"release: Built",
		"release: AttachedAt",
		"release: Staged",
		"release: WarmedAt",
		"release: Verified",
		"release: Approved",
		"release: weight 5",
		"release: weight 5 seen",
		"release: weight 5 in effect",
		"release: cohort",
		"release: cohort led",
		"release: weight 25",
		"release: weight 25 seen",
		"release: weight 25 in effect",
		"release: cohort ends",
		"release: cohort ended",
		"release: ShiftedAt",
		"release: SwitchIntendedAt",
		"release: SwitchedAt",
		"release: ConfirmedAt",
		"release: SoakStartedAt",
		"release: SoakedAt",
		"release: FinishedAt",
	}},
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
	}, "", "", []string{
		"application: Active",
		"release: OnBranch",
		"release: ClaimedAt",
		"release: Build.IntendedAt",
		"release: Build.ID",
		"release: Built",
		"release: AttachedAt",
		"release: Staged",
		"release: WarmedAt",
		"release: Verified",
		"release: Approved",
		"PATCH horizontalpodautoscalers/blue add annotations add annotations/min-replicas add minReplicas",
		"PATCH horizontalpodautoscalers/green add annotations/switch",
		"PATCH deployments/green add annotations/switch",
		"release: weight 5",
		"PATCH httproutes/shop add rules/backendRefs/weight 95/5",
		"release: weight 5 seen",
		"release: weight 5 in effect",
		"release: cohort",
		"PATCH httproutes/standby replace /spec cohort",
		"release: cohort led",
		"release: weight 25",
		"PATCH httproutes/shop add rules/backendRefs/weight 75/25",
		"release: weight 25 seen",
		"release: weight 25 in effect",
		"release: cohort ends",
		"PATCH httproutes/standby replace /spec",
		"release: cohort ended",
		"release: ShiftedAt",
		"release: SwitchIntendedAt",
		"PATCH httproutes/shop add rules/backendRefs/weight",
		"release: SwitchedAt",
		"application: LastSwitch",
		"release: ConfirmedAt",
		"release: SoakStartedAt",
		"release: SoakedAt",
		"release: FinishedAt",
		"PATCH horizontalpodautoscalers/green remove annotations/min-replicas add minReplicas",
		"application: no Active",
	}},
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
	}, "", v1alpha1.ReleaseCancelled, []string{
		"application: Active",
		"release: OnBranch",
		"release: ClaimedAt",
		"release: Built",
		"release: AttachedAt",
		"release: Staged",
		"release: WarmedAt",
		"release: Verified",
		"release: Approved",
		"release: Build.IntendedAt",
		"release: Build.ID",
		"release: weight 5",
		"release: weight 5 seen",
		"release: weight 5 in effect",
		"release: weight 25",
		"release: weight 25 seen",
		"release: weight 25 in effect",
		"release: cohort",
		"release: cohort led",
		"release: weight 0",
		"release: cohort ends",
		"PATCH httproutes/standby replace /spec",
		"release: cohort ended",
		"PATCH httproutes/shop add rules/backendRefs/weight",
		"release: weight 0 seen",
		"release: weight 0 in effect",
		"release: WithdrawnAt",
		"PATCH horizontalpodautoscalers/green remove annotations/min-replicas add minReplicas",
		"PATCH deployments/green add replicas",
		"release: DiscardedAt",
		"release: FinishedAt",
		"PATCH horizontalpodautoscalers/blue remove annotations/min-replicas add minReplicas",
	}},
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
