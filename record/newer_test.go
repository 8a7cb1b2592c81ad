package record_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// An older Turnout neither reads, writes nor deletes a newer one's delivery, and reports
// that in an event.
func TestADeliveryOfANewerVersionIsLeftAloneAndSaid(t *testing.T) {
	t.Parallel()
	r := newDeliveries(t)
	d := delivery("comment-1")
	_, err := r.Put(t.Context(), d)
	check(t, err)
	if d.Status.Format != v1alpha1.Format {
		t.Errorf("a delivery is written in format %d, want %d", d.Status.Format, v1alpha1.Format)
	}
	d.Status.Format++
	check(t, kube.Update(t.Context(), d))
	isNewer := func(what string, err error) {
		t.Helper()
		if newer, ok := errors.AsType[*v1alpha1.NewerFormatError](err); !ok || newer.Object != "delivery "+r.Namespace+"/comment-1" {
			t.Errorf("%s: %v, want a NewerFormatError of the delivery", what, err)
		}
	}
	_, err = r.Get(t.Context(), d.Name)
	isNewer("reading", err)
	isNewer("writing", r.Update(t.Context(), d.DeepCopy()))

	mgr, err := ctrl.NewManager(where, ctrl.Options{
		Scheme: kube.Scheme(), Metrics: server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, // another test also watches deliveries
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{r.Namespace: {}}},
	})
	check(t, err)
	check(t, r.Watch(mgr, func(ctx context.Context, name string) (time.Duration, error) {
		_, err := r.Get(ctx, name)
		return 0, err
	}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	if note := awaitEvent(t, r.Namespace, d.Name, "NewerRecord").Note; !strings.Contains(note, fmt.Sprint("format ", v1alpha1.Format+1)) ||
		!strings.Contains(note, "upgrade this Turnout") {
		t.Errorf("the event says %q, want the format and the way out", note)
	}
	cancel()
	check(t, <-ended)
	var now v1alpha1.Delivery
	check(t, kube.Get(t.Context(), client.ObjectKeyFromObject(d), &now))
	if now.ResourceVersion != d.ResourceVersion {
		t.Error("the delivery was written")
	}
}

// awaitEvent returns an object's first event with a reason.
func awaitEvent(t *testing.T, namespace, name, reason string) *eventsv1.Event {
	t.Helper()
	w, err := kube.Watch(t.Context(), &eventsv1.EventList{}, client.InNamespace(namespace))
	check(t, err)
	defer w.Stop()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case e := <-w.ResultChan():
			if event, ok := e.Object.(*eventsv1.Event); ok && event.Reason == reason && event.Regarding.Name == name {
				return event
			}
		case <-timeout:
			t.Fatalf("no event %s of %s/%s", reason, namespace, name)
		}
	}
}
