package deployer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// autoscale creates a colour's autoscaler, with the colour's name.
func (w *world) autoscale(c v1alpha1.Color, least, most int32) {
	w.t.Helper()
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta(string(c))}
	h.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{
		MinReplicas: &least, MaxReplicas: most,
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "my-python-app-" + string(c)},
	}
	w.create(h)
}

// minimum is an autoscaler's minimum, with its annotation if there is one.
func (w *world) minimum(c v1alpha1.Color) string {
	w.t.Helper()
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta(string(c))}
	w.get(h)
	return strings.TrimSpace(fmt.Sprint(*h.Spec.MinReplicas, " ", h.Annotations[v1alpha1.MinReplicasAnnotation]))
}

func (w *world) awaitMinimum(c v1alpha1.Color, want string) {
	w.t.Helper()
	w.until(fmt.Sprintf("the minimum of %s to be %s", c, want), func() bool { return w.minimum(c) == want },
		func() string { return "it is " + w.minimum(c) })
}

func (w *world) expectMinimum(c v1alpha1.Color, want string) {
	w.t.Helper()
	if got := w.minimum(c); got != want {
		w.t.Errorf("the minimum of %s is %s, want %s", c, got, want)
	}
}

// configure changes fields of the application's spec while looks go on.
func (w *world) configure(spec string) {
	w.t.Helper()
	bg := &v1alpha1.BlueGreen{ObjectMeta: w.meta("my-python-app")}
	w.patch(bg, `{"spec":`+spec+`}`)
}

// patch changes an object as somebody else would.
func (w *world) patch(o client.Object, merge string) {
	w.t.Helper()
	check(w.t, w.kube.Patch(w.t.Context(), o, client.RawPatch(types.MergePatchType, []byte(merge))))
}

func (w *world) resize(c v1alpha1.Color, replicas int32) {
	w.t.Helper()
	w.patch(&appsv1.Deployment{ObjectMeta: w.meta("my-python-app-" + string(c))}, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
}

// idle scales a colour as its autoscaler does without load: to its minimum, unless a size of 0
// disables it.
func (w *world) idle(c v1alpha1.Color) {
	w.t.Helper()
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta(string(c))}
	w.get(h)
	if w.size(c) > *h.Spec.MinReplicas {
		w.resize(c, *h.Spec.MinReplicas)
	}
}

// expectFinding returns the finding that has all the parts.
func (w *world) expectFinding(rel *v1alpha1.Release, parts ...string) string {
	w.t.Helper()
	for _, finding := range rel.Status.Findings {
		if containsAll(finding.Lines(), parts) {
			return finding.Lines()
		}
	}
	w.t.Errorf("the findings are %q, want in one of them %q", rel.Status.Findings, parts)
	return ""
}

func (w *world) expectNoFinding(rel *v1alpha1.Release, part string) {
	w.t.Helper()
	for _, finding := range rel.Status.Findings {
		if strings.Contains(finding.Lines(), part) {
			w.t.Errorf("there is the finding %q", finding)
		}
	}
}

// awaitLiveSize waits until Turnout has seen the live colour's size.
func (w *world) awaitLiveSize(replicas int32) {
	w.t.Helper()
	w.until("turnout to see the live colour's size", func() bool { return w.application().Status.Live.Replicas == replicas },
		func() string { return "" })
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func TestAutoscalerOfTheTargetIsHeldFromStageToTheEndOfTheSoak(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, soaks(time.Hour))
	w.resize(v1alpha1.Blue, 3)
	w.autoscale(v1alpha1.Green, 1, 9)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.expectMinimum(v1alpha1.Green, "3 1 raised to 3")
	w.idle(v1alpha1.Green)
	w.approve(rel)
	rel = w.await(rel, "soak", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepSoak })
	w.expectMinimum(v1alpha1.Green, "3 1 raised to 3")
	w.expectSizes(3, 3)
	if s := rel.Status.Milestones.Staged; s.Replicas != 3 {
		t.Errorf("staged is %+v", s)
	}
	w.configure(`{"soak":"1ms"}`)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.awaitMinimum(v1alpha1.Green, "1")
}

func TestAutoscalerIsRaisedAgainWhenTheLiveColourGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.resize(v1alpha1.Blue, 2)
	w.autoscale(v1alpha1.Green, 1, 9)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.expectMinimum(v1alpha1.Green, "2 1 raised to 2")
	w.resize(v1alpha1.Blue, 4)
	w.awaitLiveSize(4)
	w.approve(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectSizes(4, 4)
	w.awaitMinimum(v1alpha1.Green, "1")
}

func TestAutoscalerIsRestoredHoweverTheReleaseEnds(t *testing.T) {
	t.Parallel()
	raised := func(w *world, rel *v1alpha1.Release) *v1alpha1.Release {
		w.t.Helper()
		rel = w.awaitPhase(rel, v1alpha1.ReleaseWaiting)
		w.expectMinimum(v1alpha1.Green, "2 1 raised to 2")
		return rel
	}
	tests := []struct {
		name   string
		change []func(*v1alpha1.BlueGreen)
		do     func(*world, *v1alpha1.Release)
		phase  v1alpha1.ReleasePhase
	}{
		{"failed", nil, func(w *world, _ *v1alpha1.Release) { w.kubelet.crash("@sha256:") }, v1alpha1.ReleaseFailed},
		{
			"cancelled",
			[]func(*v1alpha1.BlueGreen){manual},
			func(w *world, rel *v1alpha1.Release) { w.cancel(raised(w, rel)) },
			v1alpha1.ReleaseCancelled,
		},
		{"someone else's", []func(*v1alpha1.BlueGreen){manual}, func(w *world, rel *v1alpha1.Release) {
			raised(w, rel)
			w.patch(&appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}, `{"spec":{"template":{"metadata":{"labels":{"mine":"yes"}}}}}`)
		}, v1alpha1.ReleaseError},
		{"rolled back", []func(*v1alpha1.BlueGreen){soaks(time.Hour)}, func(w *world, rel *v1alpha1.Release) {
			w.await(rel, "soak", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepSoak })
			w.expectMinimum(v1alpha1.Green, "2 1 raised to 2")
			w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
			w.awaitMinimum(v1alpha1.Green, "2 1 raised to 2") // held
			w.configure(`{"hold":"0s"}`)
			w.awaitShrunk(v1alpha1.Green)
		}, v1alpha1.ReleaseSuperseded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.change...)
			w.resize(v1alpha1.Blue, 2)
			w.autoscale(v1alpha1.Green, 1, 9)
			rel := w.submit("a")
			w.run()
			tt.do(w, rel)
			w.awaitPhase(rel, tt.phase)
			w.awaitMinimum(v1alpha1.Green, "1")
		})
	}
}

func TestAutoscalerLeftRaisedByNobodyIsRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.autoscale(v1alpha1.Blue, 4, 9)
	w.patch(&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta("blue")},
		`{"metadata":{"annotations":{"turnout.dev/min-replicas":"2 raised to 4"}}}`)
	w.run()
	w.awaitMinimum(v1alpha1.Blue, "2")
}

func TestMinimumThatItsOwnerSetDuringTheReleaseIsTheLastWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.resize(v1alpha1.Blue, 2)
	w.autoscale(v1alpha1.Green, 1, 9)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.patch(&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta("green")}, `{"spec":{"minReplicas":3}}`)
	w.resize(v1alpha1.Blue, 4) // it is staged again, and larger than that
	w.awaitLiveSize(4)
	w.approve(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.awaitMinimum(v1alpha1.Green, "3")
	w.expectOnPage(w.expectFinding(rel, "horizontalpodautoscaler green", "the minimum 3 by someone else", "it stays"))
}

func TestTargetIsStagedAtTheMaximumOfItsAutoscaler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.resize(v1alpha1.Blue, 3)
	w.autoscale(v1alpha1.Green, 1, 2)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectSizes(3, 2)
	w.expectOnPage(w.expectFinding(rel, "horizontalpodautoscaler green keeps deployment my-python-app-green from growing above 2", "not at 3",
		"spec.maxReplicas"))
}

func TestTargetWithoutTheAutoscalerThatTheLiveColourHasIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.autoscale(v1alpha1.Blue, 2, 9)
	w.resize(v1alpha1.Blue, 2)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectSizes(2, 2)
	w.expectOnPage(w.expectFinding(rel, "deployment my-python-app-blue has a HorizontalPodAutoscaler, blue",
		"deployment my-python-app-green has none"))
}

// The colour that users left gets no requests. Its autoscaler would take away what an instant
// rollback, or a restore, needs.
func TestAutoscalerOfTheHeldColourKeepsItsSizeForARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.resize(v1alpha1.Blue, 3)
	w.autoscale(v1alpha1.Blue, 1, 9)
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.awaitMinimum(v1alpha1.Blue, "3 1 raised to 3")
	w.idle(v1alpha1.Blue)
	w.expectSizes(3, 3)
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	w.awaitMinimum(v1alpha1.Blue, "1") // it has users again
}

func TestAutoscalerOfTheHeldColourIsRestoredWhenItIsShrunk(t *testing.T) {
	t.Parallel()
	for standby, want := range map[int32]int32{0: 0, 1: 2, 3: 3} {
		t.Run(fmt.Sprint(standby), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, holds(time.Hour), func(bg *v1alpha1.BlueGreen) { bg.Spec.StandbyReplicas = standby })
			w.resize(v1alpha1.Blue, 4)
			w.autoscale(v1alpha1.Blue, 2, 9)
			w.run()
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.awaitMinimum(v1alpha1.Blue, "4 2 raised to 4")
			w.configure(`{"hold":"0s"}`)
			w.awaitMinimum(v1alpha1.Blue, "2")
			w.until("blue to be shrunk", func() bool { return w.size(v1alpha1.Blue) == want },
				func() string { return fmt.Sprint(w.size(v1alpha1.Blue)) })
		})
	}
}

func TestRollbackHoldsTheAutoscalerOfTheVersionItReturnsTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(0))
	w.pretendDeployed()
	w.resize(v1alpha1.Green, 3)
	w.autoscale(v1alpha1.Blue, 1, 9)
	w.kubelet.hold("v1.0.0")
	w.run()
	w.awaitShrunk(v1alpha1.Blue)
	back := w.await(w.rollback(), "size", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "of 3 pods available") })
	w.expectMinimum(v1alpha1.Blue, "3 1 raised to 3")
	w.kubelet.release(t, "v1.0.0")
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	w.awaitMinimum(v1alpha1.Blue, "1")
}

func TestStandbySizeIsTheAutoscalersMinimumUnlessItIsDisabled(t *testing.T) {
	t.Parallel()
	hpa := track.Autoscaler{Name: "x", Min: 2, Max: 9, Current: 5, Marked: true}
	tests := []struct {
		standby    int32
		autoscaler track.Autoscaler
		want       int32
		why        string
	}{
		{0, hpa, 0, ""},
		{1, track.Autoscaler{}, 1, ""},
		{1, hpa, 2, ", the minimum of horizontalpodautoscaler x, not to spec.standbyReplicas: 1"},
		{3, hpa, 3, ""},
	}
	for _, tt := range tests {
		if got, why := standbySize(tt.standby, tt.autoscaler); got != tt.want || why != tt.why {
			t.Errorf("%d with %+v: %d%s, want %d%s", tt.standby, tt.autoscaler, got, why, tt.want, tt.why)
		}
	}
}
