package deployer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// settles shortens how long a service must be healthy.
func settles(d *Deployer) { d.Routes.Settle = 400 * time.Millisecond }

// told waits for the report of the load balancer's controller about a switch.
func told(d *Deployer) { d.TakeUp = time.Minute }

// ofGreen reports whether a pod belongs to the colour that is deployed to.
func ofGreen(pod *corev1.Pod) bool { return pod.Labels["version"] == "green" }

func TestFirstDeployOnGooglesLoadBalancer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.resize(v1alpha1.Green, 0)
	b := behindGCE(w)
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectRoutes("green", 3)
	w.expectFoundHealthy(t, v1alpha1.Green, 1)
	if r := rel.Status.Route; r.LoadBalancer != v1alpha1.LoadBalancerGCE || r.Pokes > 2 || r.TookEffectBy != v1alpha1.SignURLMap {
		t.Errorf("the route is %+v", r)
	}
	w.expectNoFinding(rel, "is not Google's")
	b.set(func(b *balancer) {
		if !b.probed["my-python-app-green-svc"] {
			t.Error("green had no ready pod when the load balancer made its health check")
		}
	})
}

// A pod that does not start is reported before the Ingress is touched.
func TestSeedThatDoesNotStartLeavesTheIngressAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.resize(v1alpha1.Green, 0)
	behindGCE(w)
	w.kubelet.crash("@sha256:")
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "keeps ending with exit code 3")
	if rel.Status.Failure.Step != v1alpha1.StepAttach || len(rel.Status.Failure.Evidence) == 0 {
		t.Errorf("the failure is %+v", rel.Status.Failure)
	}
	if i := w.gceIngress(); i.Generation != 1 {
		t.Errorf("the ingress was changed: %+v", i.Spec)
	}
	w.awaitShrunk(v1alpha1.Green)
}

// refusesGreen is the controller's message about a reference that only the controller rejects.
const refusesGreen = `Translation failed: invalid ingress spec: service "shop/my-python-app-green-svc": quota of the moon`

func TestReferenceThatIsRefusedIsTakenOutAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	b.set(func(b *balancer) { b.refused = refusesGreen })
	before := w.gceIngress()
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	w.expectMessage(rel, "quota of the moon", "taken out again", "ask again")
	after := w.gceIngress()
	if _, found := after.Annotations[v1alpha1.StandbyAnnotationPrefix+"my-python-app"]; found ||
		fmt.Sprint(after.Spec) != fmt.Sprint(before.Spec) {
		t.Errorf("the Ingress is left as %+v with %v", after.Spec, after.Annotations)
	}
	w.expectLive(v1alpha1.Blue)
	if rel.Status.Milestones.Staged != nil {
		t.Error("it was staged")
	}
	// The cause is fixed.
	b.set(func(b *balancer) { b.refused = "" })
	w.source.commit("b", "a")
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
}

// The Ingress is shared, so a rejected part may be anybody's.
func TestReferenceStaysWhileSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	const event = `Translation failed: invalid ingress spec: service "shop/other-my-python-app-green-svc": quota of the moon`
	b.set(func(b *balancer) { b.refused = event })
	w.run(told)
	rel := w.await(w.submit("a"), "what is in the way", func(r *v1alpha1.Release) bool {
		return r.Status.Step == v1alpha1.StepAttach && strings.Contains(r.Status.Message, event)
	})
	w.expectRoutes("blue", 2) // attached
	admin := &corev1.Service{ObjectMeta: w.meta("admin-svc")}
	w.get(admin)
	check(t, w.kube.Delete(t.Context(), admin))
	w.await(rel, "the service that is missing", func(r *v1alpha1.Release) bool {
		return r.Status.Step == v1alpha1.StepAttach && strings.Contains(r.Status.Message, "service admin-svc")
	})
	w.expectRoutes("blue", 2)
	again := &corev1.Service{ObjectMeta: w.meta(admin.Name), Spec: corev1.ServiceSpec{Ports: admin.Spec.Ports}}
	again.Annotations = admin.Annotations
	w.create(again)
	b.set(func(b *balancer) { b.refused = "" })
	b.poke()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
}

func TestIngressThatIsBrokenAlreadyIsNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behindGCE(w)
	finish := w.holdBuilds("a")
	w.run(told)
	rel := w.await(w.submit("a"), "the build", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepBuild })
	check(t, w.kube.Delete(t.Context(), &corev1.Service{ObjectMeta: w.meta("admin-svc")}))
	finish()
	rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.expectMessage(rel, "applies no change", "service admin-svc", "does not exist", "was not changed")
	if i := w.gceIngress(); i.Generation != 1 {
		t.Errorf("the ingress was changed: %+v", i.Spec)
	}
}

func TestSwitchWaitsForAnIngressThatBrokeSinceTheAttaching(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behindGCE(w)
	w.configure(`{"promotion":{"mode":"Manual"}}`)
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	admin := &corev1.Service{ObjectMeta: w.meta("admin-svc")}
	w.get(admin)
	check(t, w.kube.Delete(t.Context(), admin))
	w.approve(rel)
	rel = w.await(rel, "what is in the way", func(r *v1alpha1.Release) bool {
		return r.Status.Step == v1alpha1.StepSwitch && strings.Contains(r.Status.Message, "service admin-svc")
	})
	if rel.Status.Milestones.SwitchIntendedAt != nil {
		t.Error("the intent to switch was recorded")
	}
	w.expectLive(v1alpha1.Blue)
	again := &corev1.Service{ObjectMeta: w.meta(admin.Name), Spec: corev1.ServiceSpec{Ports: admin.Spec.Ports}}
	again.Annotations = admin.Annotations
	w.create(again)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
}

func TestServiceThatTheLoadBalancerCannotUseIsNotReferenced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behindGCE(w)
	finish := w.holdBuilds("a")
	w.run(told)
	rel := w.await(w.submit("a"), "the build", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepBuild })
	w.patch(&corev1.Service{ObjectMeta: w.meta("my-python-app-green-svc")}, `{"metadata":{"annotations":{"cloud.google.com/neg":null}}}`)
	finish()
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "my-python-app-green-svc", "without network endpoint groups", `cloud.google.com/neg='{"ingress": true}'`)
	if i := w.gceIngress(); i.Generation != 1 {
		t.Errorf("the ingress was changed: %+v", i.Spec)
	}
}

func TestPodsThatTheLoadBalancerDoesNotFindHealthyAreNotSwitchedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	b.set(func(b *balancer) { b.sick = ofGreen })
	w.run(told)
	rel := w.submit("a")
	w.await(rel, "the wait for the load balancer", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "1 run and wait for the load balancer to find them healthy")
	})
	w.awaitFoundUnhealthy(v1alpha1.Green) // or the deadline passes before the pod is reported
	w.configure(`{"deadlines":{"stage":"1s"}}`)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "spec.healthCheck", "35.191.0.0/16")
	e := rel.Status.Failure.Evidence
	if len(e) == 0 || e[0].Pod == "" || e[0].Reason != "LoadBalancerNegNotReady" ||
		!strings.Contains(e[0].Message, "Waiting for pod to become healthy") {
		t.Errorf("the evidence is %+v", e)
	}
	w.expectLive(v1alpha1.Blue)
}

// A ready pod may be unhealthy: its gate opened because the NEG had no health check yet.
func TestPodsThatWereLetThroughNeedTheServiceHealthyForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	b.set(func(b *balancer) { b.reason = "LoadBalancerNegWithoutHealthCheck" })
	w.run(settles, told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectFinding(rel, "does not report each pod", "was let through without a health check")
	if r := rel.Status.Route; r.Pokes < 2 || r.HealthySince == nil {
		t.Errorf("the route is %+v", r)
	}
}

func TestLetThroughPodsThatAreNotHealthyEndTheRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	b.set(func(b *balancer) {
		b.reason = "LoadBalancerNegTimeout"
		b.sick = func(pod *corev1.Pod) bool { return ofGreen(pod) && conditionOf(pod, gateType) != nil }
	})
	w.run(settles, told)
	const said = `reported "Unknown" for k8s1-my-python-app-green-svc`
	rel := w.await(w.submit("a"), "a poke to tell", func(r *v1alpha1.Release) bool {
		return r.Status.Step == v1alpha1.StepWarm && strings.Contains(r.Status.Message, said) && r.Status.Route.Pokes > 0
	})
	w.configure(`{"deadlines":{"warm":"1s"}}`)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "warm: not done after 1s", said, "spec.healthCheck")
	w.expectLive(v1alpha1.Blue)
}

// Others' edits have used up the controller's event budget for the Ingress, and the switch needs
// one of its events.
func TestPokesBecomeRareWhenEventsAreScarce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	b.set(func(b *balancer) {
		b.reason = "LoadBalancerNegTimeout"
		b.sick = func(pod *corev1.Pod) bool { return ofGreen(pod) && conditionOf(pod, gateType) != nil }
	})
	i, now := w.gceIngress(), metav1.Now()
	w.create(&corev1.Event{
		ObjectMeta: w.meta("scheduled"), Type: corev1.EventTypeNormal, Reason: "Sync", Message: "Scheduled for sync", Count: 22,
		FirstTimestamp: now, LastTimestamp: now,
		InvolvedObject: corev1.ObjectReference{
			Kind: "Ingress", APIVersion: "networking.k8s.io/v1", Namespace: i.Namespace, Name: i.Name,
			UID: i.UID,
		},
	})
	w.run(settles, told)
	w.submit("a")
	var pokes []string
	w.until("a few pokes", func() bool {
		b.set(func(b *balancer) { pokes = slices.Clone(b.pokes) })
		return len(pokes) >= 3
	}, func() string { return fmt.Sprint(pokes) })
	for i := 1; i < len(pokes); i++ {
		before, err := time.Parse(time.RFC3339Nano, pokes[i-1])
		check(t, err)
		after, err := time.Parse(time.RFC3339Nano, pokes[i])
		check(t, err)
		if gap := after.Sub(before); gap < 800*time.Millisecond { // twice the settle time
			t.Errorf("a poke %s after the one before", gap)
		}
	}
}

func TestRollbackToAHeldColourIsInstantOnGooglesLoadBalancer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behindGCE(w)
	w.run(told)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	if r := back.Status.Route; r.Pokes != 0 || len(back.Status.Findings) > 0 {
		t.Errorf("the route is %+v, findings %q", r, back.Status.Findings)
	}
	w.expectLive(v1alpha1.Blue)
}

// The controller may have failed since, but users can still go back.
func TestRollbackToAHeldColourDoesNotWaitForTheLoadBalancersController(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	w.run(told)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	b.set(func(b *balancer) { b.fails = "Error syncing to GCP: googleapi: Error 403: quota" })
	w.patch(&networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")},
		fmt.Sprintf(`{"metadata":{"annotations":{%q:"{}"}}}`, backendsKey))
	back := w.await(w.rollback(), "the switch", func(r *v1alpha1.Release) bool { return r.Status.Milestones.SwitchedAt != nil })
	w.expectLive(v1alpha1.Blue)
	w.expectFinding(back, "had the users until", "not required", "is not among the backends")
	b.set(func(b *balancer) { b.fails = "" })
	b.poke()
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
}

func TestRollbackFromZeroWaitsUntilTheLoadBalancerFindsThePodsHealthy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(time.Millisecond))
	b := behindGCE(w)
	w.run(told)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.awaitShrunk(v1alpha1.Blue)
	w.until("blue to be gone", func() bool {
		var list corev1.PodList
		check(t, w.kube.List(t.Context(), &list, client.InNamespace(w.namespace), client.MatchingLabels{"version": "blue"}))
		return len(list.Items) == 0
	}, func() string { return "" })
	b.set(func(b *balancer) { b.sick = func(pod *corev1.Pod) bool { return !ofGreen(pod) } })
	back := w.await(w.rollback(), "the wait for the load balancer", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "wait for the load balancer")
	})
	w.expectLive(v1alpha1.Green)
	b.set(func(b *balancer) { b.sick = func(*corev1.Pod) bool { return false } })
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	w.expectFoundHealthy(t, v1alpha1.Blue, 1)
	w.expectLive(v1alpha1.Blue)
}

func TestLiveColourThatGrewIsMatchedAndFoundHealthyBeforeTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	b := behindGCE(w)
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b.set(func(b *balancer) { b.sick = ofGreen })
	w.resize(v1alpha1.Blue, 3)
	w.awaitLiveSize(3)
	w.approve(rel)
	w.await(rel, "the wait for the load balancer", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "2 run and wait for the load balancer")
	})
	w.expectLive(v1alpha1.Blue)
	b.set(func(b *balancer) { b.sick = func(*corev1.Pod) bool { return false } })
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectFoundHealthy(t, v1alpha1.Green, 3)
	w.expectEnded(rel, v1alpha1.StepStage, "1 pods of my-python-app-green run aaaaaaa", "3 pods of my-python-app-green run aaaaaaa")
	if n := rel.Status.Milestones.Staged.Replicas; n != 3 {
		t.Errorf("%d pods are recorded", n)
	}
}

// Nothing reports pods that became unhealthy during the wait for a person: their gates stay open,
// and the controller had no reason to look at the Ingress.
func TestLoadBalancerIsAskedAnewAfterALongWaitForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	b := behindGCE(w)
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b.set(func(b *balancer) { b.sick = ofGreen })
	long := fmt.Sprintf(`{"status":{"milestones":{"warmedAt":%q}}}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	check(t, w.kube.Status().Patch(t.Context(), rel, client.RawPatch(types.MergePatchType, []byte(long))))
	w.approve(rel)
	w.await(rel, "the load balancer's word", func(r *v1alpha1.Release) bool {
		return r.Status.Step == v1alpha1.StepWarm && strings.Contains(r.Status.Message, `reported "Unknown" for k8s1-my-python-app-green-svc`)
	})
	w.expectLive(v1alpha1.Blue)
	b.set(func(b *balancer) { b.sick = func(*corev1.Pod) bool { return false } })
	b.poke()
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectEnded(rel, v1alpha1.StepWarm, "the load balancer finds 1 pods healthy", "the load balancer finds 1 pods healthy")
}

// expectEnded checks how each run of a step ended, by the timeline.
func (w *world) expectEnded(rel *v1alpha1.Release, s v1alpha1.Step, want ...string) {
	w.t.Helper()
	var got []string
	for _, e := range rel.Status.Timeline {
		if e.Step == s {
			got = append(got, e.Message)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("how %s ended (-want +got):\n%s", s, diff)
	}
}

// routesAreOld makes the record show that the Ingress has not changed for an hour.
func (w *world) routesAreOld() {
	w.t.Helper()
	w.until("the routes to be seen", func() bool {
		seen := w.application().Status.Ingress
		return seen != nil && seen.Generation == w.gceIngress().Generation
	}, func() string { return fmt.Sprint(w.application().Status.Ingress) })
	since := fmt.Sprintf(`{"status":{"ingress":{"since":%q}}}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	check(w.t, w.kube.Status().Patch(w.t.Context(), w.application(), client.RawPatch(types.MergePatchType, []byte(since))))
}

// Every state of the Ingress that the load balancer sees names both colours; the balancer reports
// any other.
func TestStandbyHostIsMigratedWithTheReferenceInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behindGCE(w)
	w.run(told)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.configure(`{"ingress":{"standbyHost":"standby.example.com"}}`)
	w.until("the host to be changed", func() bool {
		i := w.gceIngress()
		return i.Annotations[v1alpha1.StandbyAnnotationPrefix+"my-python-app"] == "standby.example.com" &&
			i.Spec.Rules[2].Host == "standby.example.com"
	}, func() string { return fmt.Sprint(w.gceIngress().Spec) })
	w.expectRoutes("green", 4) // attached, switched, migrated
	w.routesAreOld()           // otherwise the next switch's event could belong to the migration
	w.source.commit("b", "a")
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	w.expectRoutes("blue", 5)
}

func TestOldColourStaysAsLongAsTheLoadBalancerDoesNotTakeUpTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, holds(time.Millisecond))
	b := behindGCE(w)
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b.set(func(b *balancer) { b.fails = "Error syncing to GCP: googleapi: Error 403: quota" })
	w.approve(rel)
	w.until("the load balancer to fail", func() bool {
		var events corev1.EventList
		check(t, w.kube.List(t.Context(), &events, client.InNamespace(w.namespace)))
		return strings.Contains(fmt.Sprint(events.Items), b.fails)
	}, func() string { return "" })
	w.configure(`{"deadlines":{"confirm":"1s"}}`)
	w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.settled()
	w.until("turnout to be at rest", func() bool { return w.application().Status.Phase != v1alpha1.PhaseReleasing },
		func() string { return "" })
	if bg := w.application(); bg.Status.LastSwitch.Shrunk || bg.Status.Phase != v1alpha1.PhaseHolding {
		t.Errorf("the users' colour was shrunk: the application is %s, the last switch %+v", bg.Status.Phase, bg.Status.LastSwitch)
	}
	image := w.blueImage()
	w.source.commit("b", "a")
	next := w.await(w.submit("b"), "the next release to wait", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "until the load balancer takes up the last switch")
	})
	if w.expectSizes(1, 1); w.blueImage() != image {
		t.Error("a version is staged over the users' colour")
	}
	w.cancel(next)
	w.awaitPhase(next, v1alpha1.ReleaseCancelled)
	b.set(func(b *balancer) { b.fails = "" })
	b.poke()
	w.until("the load balancer to have taken it up", func() bool {
		b.poke() // and Turnout to look again
		return w.application().Status.LastSwitch.TookEffectAt != nil
	}, func() string { return "" })
	w.awaitShrunk(v1alpha1.Blue)
}

func TestRollbackPutsBackAReferenceThatSomebodyRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := behindGCE(w)
	w.run(told)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.editIngress(func(i *networkingv1.Ingress) {
		i.Spec.Rules = i.Spec.Rules[:2]
		delete(i.Annotations, v1alpha1.StandbyAnnotationPrefix+"my-python-app")
	})
	w.until("the load balancer to have seen it", func() (seen bool) {
		b.set(func(b *balancer) {
			seen = len(b.wrong) > 0
			b.wrong = nil // not our doing
		})
		return seen
	}, func() string { return "" })
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectRoutes("blue", 6) // attached, switched, removed, attached, switched
}

func TestReleaseSaysWhatAnotherLoadBalancerDoesNotTell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectFinding(rel, "ingress my-python-app-ingress is not Google's", "does not show")
}
