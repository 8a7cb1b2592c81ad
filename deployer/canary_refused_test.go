package deployer

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// thirdBackend names one beside the application's Services, without a share.
const thirdBackend = `[{"op":"add","path":"/spec/rules/0/backendRefs/-","value":{"name":"admin-svc","port":80,"weight":0}}]`

// edit changes the users' route as its owner would.
func (w *world) edit(ops string) {
	w.t.Helper()
	check(w.t, w.kube.Patch(w.t.Context(), w.readRoute("shop"), client.RawPatch(types.JSONPatchType, []byte(ops))))
}

// The route becomes one by which Turnout moves nobody. The new version gets no larger share, and
// people see why; when it is mended, the canary goes on.
func TestRouteThatIsRefusedDuringACanaryStopsItsSteps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ spoil, mend, field string }{
		"third backend": {
			thirdBackend, `[{"op":"remove","path":"/spec/rules/0/backendRefs/2"}]`, "spec.rules[0].backendRefs[2] names admin-svc",
		},
		"filters of a backend": {
			`[{"op":"add","path":"/spec/rules/0/backendRefs/0/filters","value":[{"type":"RequestHeaderModifier","requestHeaderModifier":` +
				`{"set":[{"name":"x","value":"y"}]}}]}]`,
			`[{"op":"remove","path":"/spec/rules/0/backendRefs/0/filters"}]`, "spec.rules[0].backendRefs[0].filters",
		},
		"mirror": {
			`[{"op":"add","path":"/spec/rules/2/filters","value":[{"type":"RequestMirror","requestMirror":{"backendRef":` +
				`{"name":"my-python-app-green-svc","port":80}}}]}]`,
			`[{"op":"remove","path":"/spec/rules/2/filters"}]`, "spec.rules[2].filters[0].requestMirror",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, steps(0, 5, 25), untilPromote)
			w.run()
			rel := w.await(w.submit("a"), "a person at 5 %", waitsAt(5))
			w.edit(tt.spoil)
			w.promoteTo(rel, 100)
			rel = w.await(rel, "the reason", func(r *v1alpha1.Release) bool {
				waits := r.Status.Waiting
				return waits != nil && waits.Because == v1alpha1.BecauseNeed && strings.Contains(waits.Detail, tt.field)
			})
			w.look()
			w.expectWeights(divided(95, 5))
			w.edit(tt.mend)
			w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
			w.expectWeights(divided(0, 100))
		})
	}
}

// Nothing of that keeps users from going back.
func TestRouteThatIsRefusedDuringACanaryDoesNotWithholdTheWayBack(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 5, 25))
	w.run()
	rel := w.await(w.await(w.submit("a"), "testers", led), "25 % of the users", has(25))
	w.edit(thirdBackend)
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectWeights(divided(100, 0))
	w.expectSizes(1, 0)
}

// It is refused before anybody has the new version: the release ends at once, and says what to do.
func TestRouteThatIsRefusedBeforeTheFirstWeightEndsTheRelease(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.BlueGreen){
		"canary": steps(25, 5, 25), "all at once": func(*v1alpha1.BlueGreen) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, change, manual)
			w.run()
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
			w.edit(thirdBackend)
			w.approve(rel)
			rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
			f := rel.Status.Failure
			if f.Class != v1alpha1.FaultWorld || f.Reason != v1alpha1.FailedTranslate ||
				!strings.Contains(f.Message, "spec.rules[0].backendRefs[2] names admin-svc") {
				t.Errorf("the failure is %+v", f)
			}
			if rel.LastWeight() != nil || rel.Status.Milestones.SwitchIntendedAt != nil {
				t.Errorf("it began to move users: %+v", rel.Status)
			}
			w.expectWeights(divided(100, 0))
			w.expectSizes(1, 0)
		})
	}
}
