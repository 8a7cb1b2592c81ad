package deployer

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// holds sets how long the old colour is held.
func holds(d time.Duration) func(*v1alpha1.BlueGreen) {
	return func(bg *v1alpha1.BlueGreen) { bg.Spec.Hold = duration(d) }
}

func (w *world) blueImage() string {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")}
	w.get(d)
	return d.Spec.Template.Spec.Containers[0].Image
}

func TestRollbackDuringTheSoakEndsTheDeploy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, soaks(time.Hour))
	w.run()
	a := w.await(w.submit("a"), "soak", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepSoak })
	back := w.rollback()
	w.expectMessage(w.awaitPhase(a, v1alpha1.ReleaseSuperseded), "rolled back by "+back.Name)
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	w.expectRoutes("blue", 4) // attached, switched, switched back
}

func TestRollbackGoesBeforeADeployThatHasNotSwitched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.commit("b", "a")
	w.pretendDeployed()
	w.run()
	b := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseWaiting)
	back := w.rollback()
	w.expectMessage(w.awaitPhase(b, v1alpha1.ReleaseSuperseded), "gives way to "+back.Name)
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	if got := w.blueImage(); !strings.HasPrefix(got, "gcr.io/acme-prod/my-python-app@sha256:") || got != back.Spec.Rollback.To.Image {
		t.Errorf("blue runs %s, want %s, the version to return to", got, back.Spec.Rollback.To.Image)
	}
}

func TestDeployOfARolledBackCommitWaitsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.source.commit("c", "b")
	w.pretendDeployed()
	w.run()
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	b := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseWaiting)
	w.expectMessage(b, "/promote", "contains aaaaaaa", "octocat ("+back.Name+") rolled back")
	w.approve(b)
	w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
	// A person has approved it, so the next releases do not wait again.
	w.settled()
	if left := w.application().Status.RolledBack; len(left) != 0 {
		t.Errorf("still remembered: %+v", left)
	}
	w.awaitPhase(w.submit("c"), v1alpha1.ReleaseSucceeded)
}

func TestRollbackAfterTheHoldSizesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(0))
	w.pretendDeployed()
	w.run()
	w.awaitShrunk(v1alpha1.Blue)
	image := w.blueImage()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	w.awaitShrunk(v1alpha1.Green) // not held any longer, either
	w.expectSizes(1, 0)
	if got := w.blueImage(); got != image {
		t.Errorf("blue was staged again: %s", got)
	}
}

func TestRollbackStagesAgainWhatSomethingElseWasStagedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.commit("b", "a")
	w.pretendDeployed()
	w.run()
	b := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseWaiting)
	w.cancel(b)
	w.awaitPhase(b, v1alpha1.ReleaseCancelled)
	builds := len(w.builds.Builds("acme-prod", "global"))
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	if got := w.blueImage(); got != back.Spec.Rollback.To.Image {
		t.Errorf("blue runs %s, want %s, the version to return to", got, back.Spec.Rollback.To.Image)
	}
	if n := len(w.builds.Builds("acme-prod", "global")); n != builds {
		t.Errorf("the rollback started a build: %d builds, %d before", n, builds)
	}
}

func TestRollbackTakesTheSizeOfTheLiveColour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.resize(v1alpha1.Green, 2)
	w.run()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectSizes(2, 2)
}

func TestOldColourKeepsItsSizeUntilDrainAndHoldAreOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(0), func(bg *v1alpha1.BlueGreen) { bg.Spec.Drain = duration(2 * time.Second) })
	w.pretendDeployed()
	w.run()
	w.awaitShrunk(v1alpha1.Blue)
	// The record has the switch to the second.
	if passed := time.Since(w.application().Status.LastSwitch.At.Time); passed < 2*time.Second {
		t.Errorf("the old colour was shrunk %s after the switch", passed)
	}
}

func TestColourThatAnotherIngressRefersToKeepsItsSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(0))
	w.pretendDeployed()
	other := w.ingress()
	other.Name = "another"
	w.create(other)
	w.run()
	w.awaitReason(v1alpha1.ReasonPreflight) // and it is not staged over
	w.expectErrors("TargetInUse")
	w.expectSizes(1, 1)
	if w.application().Status.LastSwitch.Shrunk {
		t.Error("the status reports that it is shrunk")
	}
	check(t, w.kube.Delete(t.Context(), other))
	w.poke()
	w.awaitShrunk(v1alpha1.Blue)
}

// poke causes a look at the application.
func (w *world) poke() {
	w.t.Helper()
	// A merge patch: the deployer may write the status at the same moment.
	w.patch(w.application(), `{"metadata":{"annotations":{"poked":"`+time.Now().String()+`"}}}`)
}

// editIngress changes the Ingress as a person would.
func (w *world) editIngress(edit func(*networkingv1.Ingress)) {
	w.t.Helper()
	change(w, &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}, edit)
}

func TestRollbackLeavesALiveVersionWhoseDeploymentIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(0), func(bg *v1alpha1.BlueGreen) { bg.Spec.MinReplicas = 1 })
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		w.resize(c, 2)
	}
	w.pretendDeployed()
	w.run()
	w.awaitShrunk(v1alpha1.Blue)
	commit := w.application().Status.LastSwitch.To.Commit
	check(t, w.kube.Delete(t.Context(), w.deployment(v1alpha1.Green)))
	w.until("the live version to run nowhere", func() bool {
		live := w.application().Status.Live
		return live != nil && live.Replicas == 0
	}, func() string { return "" })
	if live := w.application().Status.Live; live.Commit != commit || live.Color != v1alpha1.Green {
		t.Errorf("users are sent to %+v, want green with commit %s: only a forged release asked for a rollback", live, commit)
	}
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	blue := w.deployment(v1alpha1.Blue)
	if w.get(blue); *blue.Spec.Replicas != 2 {
		t.Errorf("blue came back with %d replicas, it had 2", *blue.Spec.Replicas)
	}
}
