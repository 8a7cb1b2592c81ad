package deployer

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// awaitWayBack waits until the way back lacks something, by a part of its description, or "" for
// nothing.
func (w *world) awaitWayBack(missing string) {
	w.t.Helper()
	w.until("the way back to lack "+missing, func() bool {
		back := w.application().Status.WayBack
		return back != nil && back.Color == v1alpha1.Blue && (back.Missing == "") == (missing == "") && strings.Contains(back.Missing, missing)
	}, func() string { return fmt.Sprintf("%+v", w.application().Status.WayBack) })
}

// The requested size does not show that any pod exists.
func TestWayBackIsJudgedByReadyEndpointsOfThatVeryVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.run()
	w.awaitWayBack("")
	if back := w.application().Status.WayBack; back.Ready == 0 || back.Ready != back.Needed {
		t.Errorf("the way back is %+v", back)
	}

	// All its pods fail their probe, but the Deployment keeps its size.
	var pods corev1.PodList
	check(t, w.kube.List(t.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels{"version": "blue"}))
	set := func(ready corev1.ConditionStatus) {
		for i := range pods.Items {
			check(t, w.kube.Status().Patch(t.Context(), &corev1.Pod{ObjectMeta: w.meta(pods.Items[i].Name)},
				client.RawPatch(types.StrategicMergePatchType,
					fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Ready","status":%q}]}}`, ready))))
		}
	}
	set(corev1.ConditionFalse)
	w.awaitWayBack("service my-python-app-blue-svc has fewer ready endpoints of it than users need")
	if got := w.application().Status.WayBack.Ready; got != 0 {
		t.Errorf("%d pods are reported as ready", got)
	}
	set(corev1.ConditionTrue)
	w.awaitWayBack("")

	// Users need more than there are.
	w.resize(v1alpha1.Green, 3)
	w.awaitWayBack("fewer ready endpoints")
	w.resize(v1alpha1.Blue, 3)
	w.awaitWayBack("")

	// The ready pods there run something else.
	w.patch(&appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")}, `{"spec":{"template":{"metadata":{"annotations":{"by":"hand"}}}}}`)
	w.awaitWayBack("deployment my-python-app-blue now runs another version")
}
