package record_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// newDeliveries makes a new namespace.
func newDeliveries(t *testing.T) *record.Deliveries {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "home-"}}
	check(t, kube.Create(t.Context(), ns))
	return &record.Deliveries{Client: kube, Reader: kube, Namespace: ns.Name}
}

func delivery(name string) *v1alpha1.Delivery {
	return &v1alpha1.Delivery{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.DeliverySpec{
			Delivery: "guid", Event: "issue_comment.created", Repository: "acme/app", ReceivedAt: metav1.NowMicro(),
			Comment: &v1alpha1.DeliveredComment{ID: 7, PullRequest: 1, Body: "/promote", Author: "wanda", WrittenAt: metav1.Now()},
		},
	}
}

func TestADeliveryIsWrittenOnceAndUpdatedByCompareAndSwap(t *testing.T) {
	t.Parallel()
	r := newDeliveries(t)
	for i, want := range []bool{true, false} {
		created, err := r.Put(t.Context(), delivery("comment-1"))
		if err != nil || created != want {
			t.Errorf("Put number %d: created %v, %v; want %v", i+1, created, err, want)
		}
	}
	first, err := r.Get(t.Context(), "comment-1")
	check(t, err)
	second := first.DeepCopy()
	first.Status.Attempts = 1
	check(t, r.Update(t.Context(), first))
	first.Status.Attempts = 2
	check(t, r.Update(t.Context(), first)) // it has the version that was written
	second.Status.Attempts = 1
	if err := r.Update(t.Context(), second); !errors.Is(err, record.ErrHeld) {
		t.Errorf("an update of a delivery that was written since: %v, want ErrHeld", err)
	}
	check(t, r.Delete(t.Context(), first))
	check(t, r.Delete(t.Context(), first))
	if _, err := r.Get(t.Context(), "comment-1"); !apierrors.IsNotFound(errors.Unwrap(err)) {
		t.Errorf("a deleted delivery gives %v, want not found", err)
	}
	again := delivery("comment-1")
	_, err = r.Put(t.Context(), again)
	check(t, err)
	check(t, r.Delete(t.Context(), first)) // it comes late
	if now, err := r.Get(t.Context(), "comment-1"); err != nil || now.UID != again.UID {
		t.Errorf("a late deletion took the one that was delivered again: %v", err)
	}
	nowhere := record.Deliveries{Client: kube, Reader: kube, Namespace: "nowhere"}
	if _, err := nowhere.Put(t.Context(), delivery("comment-1")); err == nil ||
		!strings.Contains(err.Error(), "is there a namespace nowhere") {
		t.Errorf("without the namespace: %v, want an error that names it", err)
	}
}

func TestTheSchemaBoundsADelivery(t *testing.T) {
	t.Parallel()
	r := newDeliveries(t)
	for name, change := range map[string]func(*v1alpha1.Delivery){
		"body":       func(d *v1alpha1.Delivery) { d.Spec.Comment.Body = strings.Repeat("x", 8193) },
		"delivery":   func(d *v1alpha1.Delivery) { d.Spec.Delivery = strings.Repeat("x", 81) },
		"repository": func(d *v1alpha1.Delivery) { d.Spec.Repository = strings.Repeat("x", 141) },
		"url":        func(d *v1alpha1.Delivery) { d.Spec.Comment.URL = strings.Repeat("x", 501) },
		"error":      func(d *v1alpha1.Delivery) { d.Status.Error = strings.Repeat("x", 501) },
		"either":     func(d *v1alpha1.Delivery) { d.Spec.Push = &v1alpha1.DeliveredPush{Branch: "main", Commit: "x"} },
	} {
		d := delivery("comment-" + name)
		change(d)
		if _, err := r.Put(t.Context(), d); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want a refusal that names it", name, err)
		}
	}
	d := delivery("comment-largest")
	d.Spec.Comment.Body = strings.Repeat("x", 8192)
	_, err := r.Put(t.Context(), d)
	check(t, err)
}

// TestAPanicIsOneObjectsFailure: one of two releases, and one of two deliveries, makes the
// callback panic each time. The other one is handled, and an event reports the panic.
func TestAPanicIsOneObjectsFailure(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	home := newDeliveries(t)
	sound, poisoned := deploy(bg), deploy(bg)
	poisoned.Spec.Deploy.Attempt, poisoned.Name = 2, v1alpha1.DeployName(bg.Name, poisoned.Spec.Deploy.Commit, 2)
	submit(t, r, poisoned)
	submit(t, r, sound)
	for _, name := range []string{"a-poisoned", "b-sound"} {
		_, err := home.Put(t.Context(), delivery(name))
		check(t, err)
	}
	mgr, err := ctrl.NewManager(where, ctrl.Options{
		Scheme: kube.Scheme(), Metrics: server.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{bg.Namespace: {}, home.Namespace: {}}},
	})
	check(t, err)
	looked := make(chan string, 100)
	check(t, r.Watch(mgr, "panics", func(_ context.Context, rel *v1alpha1.Release) (time.Duration, error) {
		if rel.Name == poisoned.Name {
			panic("boom")
		}
		looked <- rel.Name
		return 0, nil
	}))
	check(t, home.Watch(mgr, func(_ context.Context, name string) (time.Duration, error) {
		if name == "a-poisoned" {
			panic("boom")
		}
		looked <- name
		return 0, nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	seen := map[string]bool{}
	for !seen[sound.Name] || !seen["b-sound"] {
		select {
		case name := <-looked:
			seen[name] = true
		case err := <-ended:
			t.Fatalf("the manager ended: %v", err)
		case <-time.After(30 * time.Second):
			t.Fatalf("the objects looked at are %v, want both sound ones", seen)
		}
	}
	for namespace, name := range map[string]string{bg.Namespace: poisoned.Name, home.Namespace: "a-poisoned"} {
		awaitEvent(t, namespace, name, "Panicked")
	}
	cancel()
	check(t, <-ended)
}
