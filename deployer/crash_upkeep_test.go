package deployer

import (
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// upkeepJourneys are what remains to be done after releases: after the hold the colour that users
// left is shrunk, its autoscaler gets its own minimum back, the standby host follows the spec, and a
// release beyond the history is deleted; and what a release that fails in its soak leaves.
var upkeepJourneys = []journey{{name: "upkeep", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorld(t)
	w.forgotten()
	w.autoscaleBoth()
	stop := w.run(quick("before"))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitMinimum(v1alpha1.Blue, "2 1 raised to 2") // it is held
	stop()
	w.configure(`{"hold":"0s","historyLimit":1,"ingress":{"standbyHost":"next.invalid"}}`)
	return w, rel
}, expect: func(w *world, _ *v1alpha1.Release) {
	w.awaitShrunk(v1alpha1.Blue)
	w.awaitMinimum(v1alpha1.Blue, "1")
	w.awaitNoted(v1alpha1.Blue)
	w.until("the oldest release to be deleted", func() bool {
		err := w.kube.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "forgotten"}, &v1alpha1.Release{})
		return apierrors.IsNotFound(err)
	}, func() string { return "" })
	w.until("the standby host of the spec", func() bool {
		w.poke() // by itself it would try again in a minute
		i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
		w.get(i)
		return i.Annotations[v1alpha1.StandbyAnnotationPrefix+"my-python-app"] == "next.invalid"
	}, func() string { return "" })
	w.expectRoutes("green", 4) // attached, switched, another standby host
	w.expectSizes(0, w.replicas)
}, effects: []string{
	"PATCH ingresses/ingress replace rules/host add annotations/standby.my-python-app",
	"PATCH deployments/blue add replicas",
	returnMinimum(v1alpha1.Blue),
	"DELETE releases/forgotten",
	"application: LastSwitch",
	"application: no Active",
	"application: Shrunk",
}}, {name: "restore", ends: v1alpha1.ReleaseFailed, start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorld(t, soaks(time.Hour))
	return w, w.restartInSoak()
}, expect: func(w *world, _ *v1alpha1.Release) {
	w.settled()
	w.expectRoutes("blue", 4) // attached, switched, switched back
	w.awaitShrunk(v1alpha1.Green)
	w.awaitNoted(v1alpha1.Green)
}, effects: slices.Concat(untilSoak, restoring)}}

// restartInSoak releases a commit until users have it, and has its pods restarted before a process sees that.
func (w *world) restartInSoak() *v1alpha1.Release {
	w.t.Helper()
	stop := w.run(quick("before"))
	rel := w.await(w.submit("a"), "soak", soaking)
	stop()
	w.countRestarts(rel)
	return rel
}

// ofRestores: an effect brings users back, or comes after that.
func ofRestores(effect string) bool { return slices.Contains(restoring, effect) }

// awaitNoted waits until the record has that a colour was shrunk.
func (w *world) awaitNoted(c v1alpha1.Color) {
	w.t.Helper()
	w.until("the record to have "+string(c)+" shrunk", func() bool {
		last := w.application().Status.LastSwitch
		return last.From.Color == c && last.Shrunk
	}, func() string { return "" })
}

// forgotten is a release that has been finished for longer than any is kept.
func (w *world) forgotten() {
	w.t.Helper()
	rel := w.submit("f", func(r *v1alpha1.Release) { r.Name = "forgotten" })
	then := metav1.NewTime(time.Now().Add(-2 * v1alpha1.KeptFor))
	rel.Status.Phase, rel.Status.FinishedAt = v1alpha1.ReleaseSuperseded, &then
	check(w.t, w.kube.Status().Update(w.t.Context(), rel))
}

// Whatever an effect is, it fails in each way in some journey: none is left to the others' cells by
// mistake.
func TestEveryEffectHasACell(t *testing.T) {
	t.Parallel()
	cells, all := map[string]bool{}, map[string]string{}
	for _, j := range journeys {
		if len(j.effects) == 0 {
			t.Errorf("%s has no effect", j.name)
		}
		for _, at := range j.effects {
			all[at] = j.name
			if cell := cellsOf[j.name]; cell == nil || cell(at) {
				cells[at] = true
			}
		}
	}
	var missing []string
	for at, in := range all {
		if !cells[at] {
			missing = append(missing, at+" (of "+in+")")
		}
	}
	if len(all) == 0 || len(missing) > 0 {
		t.Errorf("of %d effects these have no cell:\n%s", len(all), strings.Join(missing, "\n"))
	}
}
