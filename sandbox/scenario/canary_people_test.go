package scenario

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// A lock stops a canary where it is, and its time; but no way back.
func TestLockedCanaryKeepsItsShareAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	a := behindGateway{namespace: "canary-locked", spec: map[string]any{"canary": steps(step{25, "10s"}, step{50, "10s"})}}.adopt(t)
	pr, users := a.quarter()
	a.comment(pr.Number, running.writer, "/lock audit")
	rel := a.follow(pr, "the lock", func(rel *v1alpha1.Release) bool {
		return rel.Status.Waiting != nil && rel.Status.Waiting.For == v1alpha1.WaitsForLock
	})
	over := rel.LastWeight().EffectiveAt.Add(15 * time.Second)
	a.await("the time of the step to be over", func(context.Context) (bool, string) { return time.Now().After(over), "" })
	expectWeights(t, a, "behind the lock", "blue 75 green 25")
	a.comment(pr.Number, running.writer, "/cancel")
	rel = a.follow(pr, "the end of the canary", in(v1alpha1.ReleaseCancelled))
	expectWeights(t, a, "after the cancellation", "blue 100 green 0")
	if m := rel.Status.Milestones; m.WithdrawnAt == nil || m.SwitchIntendedAt != nil {
		t.Errorf("it ended with %+v", m)
	}
	a.awaitGateway("v1.0.0")
	expectServed(t, users.leave(), "")
}

// While users are divided both colours are as large as the old one ever was, whatever their
// autoscalers want. In the end each autoscaler has its own minimum again.
func TestAutoscaledColoursKeepTheirSizeDuringACanary(t *testing.T) {
	t.Parallel()
	a := behindGateway{
		namespace: "canary-scaled", replicas: 2, spec: map[string]any{"canary": steps(step{25, "1h"}), "hold": "0s"},
	}.adopt(t)
	a.autoscale(v1alpha1.Blue)
	a.autoscale(v1alpha1.Green)
	pr, users := a.quarter()
	a.awaitScaled(v1alpha1.Blue, 2, 2)
	a.awaitScaled(v1alpha1.Green, 2, 2)
	a.change(a.deployment(v1alpha1.Blue), `{"spec":{"replicas":3}}`) // as its autoscaler would
	a.awaitScaled(v1alpha1.Green, 3, 3)
	a.awaitScaled(v1alpha1.Blue, 3, 3)
	a.comment(pr.Number, running.writer, "/promote 100")
	a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
	a.awaitScaled(v1alpha1.Green, 3, 1)
	a.awaitScaled(v1alpha1.Blue, 0, 1)
	a.awaitGateway("v1.3.0")
	expectServed(t, users.leave(), "")
}

// Somebody else changes the weights of one rule while users are divided. Turnout stops, and
// leaves weights and sizes as they are, until a rollback brings all users together.
func TestWeightsThatSomebodyElseGaveACanaryStay(t *testing.T) {
	t.Parallel()
	a := behindGateway{namespace: "canary-edited", spec: map[string]any{"canary": steps(step{25, "1h"}), "hold": "0s"}}.adopt(t)
	pr, users := a.quarter()
	a.weigh(1, 40, 60)
	a.follow(pr, "the end of the canary", in(v1alpha1.ReleaseError))
	a.awaitComment(pr.Number, "was given other weights by someone else")
	a.awaitReason(v1alpha1.ReasonMixedRoutes)
	expectRules(t, a, "after the edit", "blue 75 green 25", "blue 40 green 60")
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		d := a.deployment(c)
		if err := running.kube.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil || *d.Spec.Replicas != 1 {
			t.Errorf("%s has %d pods, %v", c, *d.Spec.Replicas, err)
		}
	}
	a.comment(pr.Number, running.writer, "/rollback")
	a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	expectWeights(t, a, "after the rollback", "blue 100 green 0")
	a.awaitReason(v1alpha1.ReasonReady)
	a.awaitGateway("v1.0.0")
	expectServed(t, users.leave(), "")
}

// quarter merges a version that is given to a quarter of the users first. They come while it
// waits for the load balancer.
func (a *application) quarter() (*githubtest.PullRequest, *crowd) {
	a.t.Helper()
	pr := a.merge("Greet a quarter", map[string]string{"VERSION": "v1.3.0\n"})
	a.awaitGateway("v1.0.0")
	users := a.visited()
	a.follow(pr, "a quarter of the users", hasWeight(25))
	return pr, users
}

// weigh gives a rule of the application's route weights, as a person does.
func (a *application) weigh(rule, blue, green int) {
	a.t.Helper()
	at := fmt.Sprintf("/spec/rules/%d/backendRefs/", rule)
	patch := fmt.Sprintf(`[{"op":"replace","path":"%[1]s0/weight","value":%[2]d},{"op":"replace","path":"%[1]s1/weight","value":%[3]d}]`, at,
		blue, green)
	if err := running.kube.Patch(a.t.Context(), a.route(name), client.RawPatch(types.JSONPatchType, []byte(patch))); err != nil {
		a.t.Fatal(err)
	}
}

// deployment names a colour's.
func (a *application) deployment(c v1alpha1.Color) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: name + "-" + string(c)}}
}
