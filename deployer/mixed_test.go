package deployer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// mixedBack waits until the application says which rollback brings together users who are on
// both colours.
func (w *world) mixedBack() *v1alpha1.RollbackSpec {
	w.t.Helper()
	w.awaitReason(v1alpha1.ReasonMixedRoutes)
	var back *v1alpha1.RollbackSpec
	w.until("a way back", func() bool {
		mixed := w.application().Status.Mixed
		if mixed != nil {
			back = mixed.Back
		}
		return back != nil
	}, func() string { return "" })
	return back
}

// rollbackBy asks for a rollback as the bot does.
func (w *world) rollbackBy(spec v1alpha1.RollbackSpec) *v1alpha1.Release {
	w.t.Helper()
	spec.Attempt = 1
	rel, _, err := w.record().Submit(w.t.Context(), &v1alpha1.Release{
		ObjectMeta: w.meta(v1alpha1.RollbackName("my-python-app", spec.Switch, 1)),
		Spec: v1alpha1.ReleaseSpec{
			Kind: v1alpha1.Rollback, Application: "my-python-app", Rollback: &spec,
			Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "octocat"},
		},
	})
	check(w.t, err)
	return rel
}

// interfered is a canary that ended where somebody else had changed its weights.
func (w *world) interfered() *v1alpha1.Release {
	w.t.Helper()
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	w.reweigh([]int{0}, 60, 40)
	return w.awaitPhase(rel, v1alpha1.ReleaseError)
}

// Only a rollback is admitted while users are on both colours, and it brings all of them to the
// version that they had before. Some have seen the other one: what contains it waits for a person.
func TestRollbackBringsTogetherUsersOfACanaryThatSomebodyElseChanged(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25, 50))
	w.autoscaleBoth()
	w.source.commit("b", "a")
	w.run()
	before := w.running(v1alpha1.Blue)
	a := w.interfered()
	b := w.await(w.submit("b"), "users on one colour", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.For == v1alpha1.WaitsForApplication &&
			r.Status.Waiting.Because == v1alpha1.ReasonMixedRoutes
	})
	w.expectWeights([]string{"blue 60 green 40", "blue 75 green 25"})
	back := w.mixedBack()
	if back.Switch != string(a.UID) || back.From.Color != v1alpha1.Green || back.From.Commit != a.Spec.Deploy.Commit ||
		back.To.Color != v1alpha1.Blue || back.To.Image != before.Image {
		t.Errorf("the way back is %+v", back)
	}
	if c := readyCondition(w.application()); !strings.Contains(c.Message, "a rollback brings all of them to ") {
		t.Errorf("the application says %q", c.Message)
	}
	pods := w.podsOf(v1alpha1.Blue)
	rel := w.awaitPhase(w.rollbackBy(*back), v1alpha1.ReleaseSucceeded)
	b = w.awaitPhase(b, v1alpha1.ReleaseWaiting)
	if because := b.Status.Waiting.Because; because != v1alpha1.BecauseRolledBack {
		t.Errorf("a later version waits because of %q", because)
	}
	w.expectWeights(divided(100, 0))
	if diff := cmp.Diff(pods, w.podsOf(v1alpha1.Blue)); diff != "" {
		t.Errorf("pods that had users (-before +after):\n%s", diff)
	}
	st := w.application().Status
	if last := st.LastSwitch; last.UID != string(rel.UID) || last.Kind != "Rollback" || last.From.Color != v1alpha1.Green || st.Mixed != nil {
		t.Errorf("the last switch is %+v, users on both colours: %+v", last, st.Mixed)
	}
}

// podsOf are the pods of a colour, by UID.
func (w *world) podsOf(c v1alpha1.Color) map[types.UID]string {
	w.t.Helper()
	side, err := (&workload.Workloads{Client: w.kube, Reader: w.kube}).Observe(w.t.Context(), w.application(), c)
	check(w.t, err)
	all := map[types.UID]string{}
	for _, p := range side.Pods {
		all[p.UID] = p.Name
	}
	return all
}

// Weights that somebody wrote by hand, when no release was under way.
func TestRollbackBringsTogetherUsersThatSomebodyDivided(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5))
	w.run()
	a := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.reweigh([]int{0, 1}, 30, 70)
	back := w.mixedBack()
	if back.Switch != string(a.UID) || back.To.Color != v1alpha1.Blue {
		t.Errorf("after a deploy the way back is %+v", back)
	}
	rel := w.awaitPhase(w.rollbackBy(*back), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.expectWeights(divided(100, 0))

	// Users went back already, and do so again: never to the version that they left.
	w.reweigh([]int{0, 1}, 30, 70)
	again := w.mixedBack()
	if again.Switch != string(rel.UID) || again.To.Color != v1alpha1.Blue || again.From.Commit != a.Spec.Deploy.Commit {
		t.Errorf("after a rollback the way back is %+v", again)
	}
	w.awaitPhase(w.rollbackBy(*again), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.expectWeights(divided(100, 0))
}

// Nobody chooses where users go: a rollback to the other colour, or of another switch, moves
// nobody.
func TestOnlyTheRecordedRollbackIsAdmittedWhileUsersAreOnBothColours(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25, 50))
	w.run()
	w.interfered()
	back := w.mixedBack()
	other := *back
	other.From, other.To = back.To, back.From
	w.expectMessage(w.awaitPhase(w.rollbackBy(other), v1alpha1.ReleaseFailed), "spec.rollback.from is")
	other = *back
	other.Switch = "another"
	w.expectMessage(w.awaitPhase(w.rollbackBy(other), v1alpha1.ReleaseFailed), "only "+back.Switch+" can be taken back")
	w.expectWeights([]string{"blue 60 green 40", "blue 75 green 25"})
}

// The colour that users return to has some of them, and runs something else by now: nothing is
// staged over its pods.
func TestRollbackDoesNotStageOverPodsThatHaveUsers(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25, 50))
	w.run()
	w.interfered()
	back := w.mixedBack()
	d := w.deployment(v1alpha1.Blue)
	w.get(d)
	before := d.DeepCopy()
	d.Spec.Template.Spec.Containers[0].Image = "gcr.io/acme-prod/my-python-app:mine"
	check(t, w.kube.Patch(t.Context(), d, client.MergeFrom(before)))
	w.until("it to run", func() bool { return strings.HasSuffix(w.running(v1alpha1.Blue).Tag, "mine") }, func() string { return "" })
	rel := w.awaitPhase(w.rollbackBy(*back), v1alpha1.ReleaseError)
	w.expectMessage(rel, "has users, and no longer runs")
	if got := w.blueImage(); got != "gcr.io/acme-prod/my-python-app:mine" {
		t.Errorf("blue runs %s", got)
	}
	w.expectWeights([]string{"blue 60 green 40", "blue 75 green 25"})
}

// An Ingress has no weights. Whether somebody meant to send some of its routes elsewhere is not
// known, so a rollback waits, too.
func TestRollbackWaitsWhileAnIngressNamesBothServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	w.editIngress(func(i *networkingv1.Ingress) {
		i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "my-python-app-blue-svc"
	})
	w.awaitReason(v1alpha1.ReasonMixedRoutes)
	w.await(w.rollback(), "one Service in all routes", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.For == v1alpha1.WaitsForApplication
	})
}
