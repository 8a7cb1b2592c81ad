package deployer

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// awaitReason waits until the application's condition has a reason.
func (w *world) awaitReason(reason string) {
	w.t.Helper()
	w.until("the reason "+reason, func() bool { return readyCondition(w.application()).Reason == reason }, func() string {
		return "it is " + readyCondition(w.application()).Reason
	})
}

func TestConditionFollowsTheGrantByWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant("")
	w.run()
	rel := w.submit("a")
	w.awaitReason(v1alpha1.ReasonNotGranted)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseQueued)
	w.expectMessage(rel, "waits: namespace "+w.namespace+" is not granted")
	if n := w.source.asked(); n != 0 {
		t.Errorf("the source got %d requests without a grant", n)
	}
	w.grant("acme/*")
	w.awaitReason(v1alpha1.ReasonReady)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func (w *world) grant(repositories string) {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.get(ns)
	ns.Annotations[v1alpha1.RepositoriesAnnotation] = repositories
	check(w.t, w.kube.Update(w.t.Context(), ns))
}

func TestConditionFollowsTheIngressByWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	to := func(service string) func(*networkingv1.Ingress) {
		return func(i *networkingv1.Ingress) { i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = service }
	}
	w.editIngress(to("my-python-app-green-svc"))
	w.awaitReason(v1alpha1.ReasonMixedRoutes)
	w.editIngress(func(i *networkingv1.Ingress) {
		to("other-svc")(i)
		i.Spec.Rules = i.Spec.Rules[:1]
	})
	w.awaitReason(v1alpha1.ReasonNotRouted)
	check(t, w.kube.Delete(t.Context(), w.ingress()))
	w.awaitReason(v1alpha1.ReasonIngressMissing)
	w.create(w.ingress())
	w.awaitReason(v1alpha1.ReasonReady)
}

func TestTwoApplicationsMayNotShareAService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.running(v1alpha1.Blue)
	w.running(v1alpha1.Green)
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	other := &v1alpha1.BlueGreen{ObjectMeta: w.meta("other"), Spec: v1alpha1.BlueGreenSpec{
		Repository: repository, Build: v1alpha1.BuildSpec{Project: "acme-prod"},
		Green: v1alpha1.Side{Service: "my-python-app-blue-svc"},
	}}
	w.create(other)
	w.awaitReason(v1alpha1.ReasonServiceShared)
	check(t, w.kube.Delete(t.Context(), other))
	w.awaitReason(v1alpha1.ReasonReady)
}

func TestConditionIsWrittenWhileAReleaseActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run(func(d *Deployer) { d.Record.RenewEvery, d.Record.StaleAfter = time.Hour, 2*time.Hour })
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.grant("")
	since := time.Now()
	w.awaitReason(v1alpha1.ReasonNotGranted)
	if took := time.Since(since); took > 5*time.Second {
		t.Errorf("the wait took %s: until the claim was renewed, which this case does not need", took)
	}
}

// A claim that is due is renewed by what a look writes at its end, not by a write of its own. A look that
// has nothing else to write still writes that.
func TestALookThatOnlyWaitsRenewsItsClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	look := w.lookedAt(func(d *Deployer) { d.Record.RenewEvery, d.Record.StaleAfter = time.Nanosecond, time.Hour })
	rel := w.submit("a")
	w.until("the wait for /promote", func() bool { look(1); w.get(rel); return rel.Status.Phase == v1alpha1.ReleaseWaiting },
		func() string { return rel.Status.Message })
	look(3) // it has nothing left to write
	for range 3 {
		before := w.application()
		look(1)
		now := w.application()
		if !now.Status.Active.RenewedAt.After(before.Status.Active.RenewedAt.Time) {
			t.Errorf("the claim was renewed at %s, and before at %s", now.Status.Active.RenewedAt, before.Status.Active.RenewedAt)
		}
		if before.Status.Active.RenewedAt = now.Status.Active.RenewedAt; !equality.Semantic.DeepEqual(before.Status, now.Status) {
			t.Errorf("the look wrote something else, so it shows nothing: %+v, before %+v", now.Status, before.Status)
		}
	}
}
