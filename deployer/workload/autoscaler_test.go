package workload

import (
	"fmt"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func TestSizeIsTheLargestThatTheTargetsAutoscalerAllows(t *testing.T) {
	t.Parallel()
	hpa := func(least, most int32) track.Autoscaler { return track.Autoscaler{Name: "x", Min: least, Max: most} }
	tests := []struct {
		name         string
		least        int32
		live, target track.Side
		size, wanted int32
	}{
		{"live's replicas", 1, track.Side{Replicas: 3}, track.Side{}, 3, 3},
		{"spec.minReplicas", 5, track.Side{Replicas: 3}, track.Side{}, 5, 5},
		{"live has none", 1, track.Side{}, track.Side{}, 1, 1},
		{"the minimum of live's autoscaler", 1, track.Side{Replicas: 3, Autoscaler: hpa(4, 9)}, track.Side{}, 4, 4},
		{"the minimum of the target's", 1, track.Side{Replicas: 3}, track.Side{Autoscaler: hpa(6, 9)}, 6, 6},
		{"the maximum of the target's", 1, track.Side{Replicas: 8}, track.Side{Autoscaler: hpa(1, 5)}, 5, 8},
		{"the maximum of live's says nothing", 9, track.Side{Replicas: 3, Autoscaler: hpa(1, 4)}, track.Side{}, 9, 9},
	}
	for _, tt := range tests {
		if size, wanted := track.Size(tt.least, tt.live, tt.target); size != tt.size || wanted != tt.wanted {
			t.Errorf("%s: %d, wanted %d; want %d, %d", tt.name, size, wanted, tt.size, tt.wanted)
		}
	}
}

// autoscaled is a world whose green colour has an autoscaler.
func autoscaled(t *testing.T, least, most int32) world {
	t.Helper()
	w := newWorld(t)
	w.createMissing()
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "green"}}
	h.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{
		MaxReplicas:    most,
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop-green"},
	}
	if least > 0 {
		h.Spec.MinReplicas = &least
	}
	if err := w.Client.Create(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	return w
}

// minimum is the autoscaler's minimum and annotation.
func (w world) minimum() (least int32, annotation string) {
	w.t.Helper()
	h := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := w.Client.Get(w.t.Context(), w.key("green"), h); err != nil {
		w.t.Fatal(err)
	}
	return *h.Spec.MinReplicas, h.Annotations[v1alpha1.MinReplicasAnnotation]
}

func (w world) expectMinimum(least int32, annotation string) {
	w.t.Helper()
	if n, a := w.minimum(); n != least || a != annotation {
		w.t.Errorf("the minimum is %d with the annotation %q, want %d with %q", n, a, least, annotation)
	}
}

// raise and restore look again after a conflict, as the reconciler does: the real
// controller writes the autoscaler's status in between.
func (w world) raise(size int32) {
	w.t.Helper()
	w.await("the patch", func() bool { return w.RaiseMinimum(w.t.Context(), w.bg, w.observe(v1alpha1.Green), size) == nil })
}

func (w world) restore() {
	w.t.Helper()
	w.await("the patch", func() bool { return w.RestoreMinimum(w.t.Context(), w.bg, w.observe(v1alpha1.Green)) == nil })
}

func TestMinimumIsRaisedAndRestored(t *testing.T) {
	w := autoscaled(t, 2, 9)
	w.raise(5)
	w.expectMinimum(5, "2 raised to 5")
	w.raise(4) // never lower
	w.expectMinimum(5, "2 raised to 5")
	w.raise(7) // live grew: the owner's is kept
	w.expectMinimum(7, "2 raised to 7")
	if a := w.observe(v1alpha1.Green).Autoscaler; a.Min != 2 || a.Current != 7 || !a.Marked || a.Overruled {
		t.Errorf("it is observed as %+v: its owner's minimum is 2", a)
	}
	w.restore()
	w.expectMinimum(2, "")
	w.restore() // nothing left to do
	w.expectMinimum(2, "")
}

func TestAMinimumThatNobodySetIsOne(t *testing.T) {
	w := autoscaled(t, 0, 9)
	w.raise(3)
	w.expectMinimum(3, "1 raised to 3")
	w.restore()
	w.expectMinimum(1, "")
}

func TestMinimumIsRaisedToTheMaximumAtMost(t *testing.T) {
	w := autoscaled(t, 2, 4)
	w.raise(8)
	w.expectMinimum(4, "2 raised to 4")
}

func TestAMinimumThatIsLargeEnoughIsNotTouched(t *testing.T) {
	w := autoscaled(t, 6, 9)
	w.raise(5)
	w.expectMinimum(6, "")
}

// set changes the minimum as its owner would, or a tool of theirs.
func (w world) set(least string) {
	w.t.Helper()
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "green"}}
	if err := w.Client.Patch(w.t.Context(), h, client.RawPatch(types.MergePatchType, []byte(least))); err != nil {
		w.t.Fatal(err)
	}
}

func TestAMinimumThatSomeoneElseSetInTheMeantimeStays(t *testing.T) {
	w := autoscaled(t, 2, 9)
	w.raise(5)
	w.set(`{"spec":{"minReplicas":3}}`)
	if a := w.observe(v1alpha1.Green).Autoscaler; a.Min != 3 || !a.Overruled {
		t.Errorf("it is observed as %+v", a)
	}
	w.raise(5) // no tug of war
	w.expectMinimum(3, "2 raised to 5")
	w.restore()
	w.expectMinimum(3, "")
}

func TestAnUnreadableAnnotationIsOnlyRemoved(t *testing.T) {
	for _, text := range []string{"", "2", "two raised to 5", "2 raised to 5 or so", "0 raised to 5"} {
		w := autoscaled(t, 5, 9)
		w.set(`{"metadata":{"annotations":{"turnout.dev/min-replicas":"` + text + `"}}}`)
		w.restore()
		w.expectMinimum(5, "")
	}
}

func TestAMissingAutoscalerIsNotAnError(t *testing.T) {
	w := autoscaled(t, 2, 9)
	w.raise(5)
	seen := w.observe(v1alpha1.Green)
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "green"}}
	if err := w.Client.Delete(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if err := w.RestoreMinimum(t.Context(), w.bg, seen); err != nil {
		t.Error(err)
	}
	if err := w.RaiseMinimum(t.Context(), w.bg, seen, 9); err != nil {
		t.Error(err)
	}
}

func TestRaceForTheAutoscalerIsLostWithoutAWrite(t *testing.T) {
	w := autoscaled(t, 2, 9)
	plain := w.Client
	w.Client = &watched{Client: plain, before: func(string) {
		h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "green"}}
		if err := plain.Patch(t.Context(), h, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"minReplicas":3}}`))); err != nil {
			t.Fatal(err)
		}
	}}
	err := w.RaiseMinimum(t.Context(), w.bg, w.observe(v1alpha1.Green), 5)
	if !apierrors.IsConflict(err) {
		t.Errorf("got error %v, want a conflict", err)
	}
	w.Client = plain
	w.expectMinimum(3, "")
}

// Kubernetes' controller writes a status when it likes. A second look of the release for that would
// come after its intent to switch, and would first have to fence the Ingress.
func TestStatusOfTheAutoscalerDelaysNoSwitch(t *testing.T) {
	w := autoscaled(t, 2, 9)
	w.raise(5)
	seen := w.observe(v1alpha1.Green)
	plain, statuses := w.Client, int32(0)
	w.Client = &watched{Client: plain, before: func(string) {
		if statuses++; statuses > 2 {
			return
		}
		h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "green"}}
		status := fmt.Sprintf(`{"status":{"desiredReplicas":%d}}`, statuses)
		if err := plain.Status().Patch(t.Context(), h, client.RawPatch(types.MergePatchType, []byte(status))); err != nil {
			t.Fatal(err)
		}
	}}
	if err := w.HoldMinimum(t.Context(), w.bg, seen, "a"); err != nil {
		t.Error(err)
	}
	w.Client = plain
	h := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := plain.Get(t.Context(), w.key("green"), h); err != nil {
		t.Fatal(err)
	}
	if h.Annotations[v1alpha1.SwitchAnnotation] != "a" || statuses < 3 {
		t.Errorf("after %d patches its annotations are %v", statuses, h.Annotations)
	}
	w.expectMinimum(5, "2 raised to 5")
}
