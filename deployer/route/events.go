package route

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Reasons of the events that ingress-gce emits about an Ingress (pkg/events/events.go:24-33).
const (
	eventSync      = "Sync"
	eventTranslate = "Translate"
)

// News reads the events of an application's Ingress that came, or were repeated, since the moment
// of an earlier look. If since is "", it only returns the current moment. Moments are resource
// versions, so no two clocks are compared.
func (r *Router) News(ctx context.Context, bg *v1alpha1.BlueGreen, since string) (track.News, error) {
	if bg.Spec.Gateway != nil {
		return track.News{}, nil // a Gateway's controller reports in the route's status
	}
	var list corev1.EventList
	err := r.Reader.List(ctx, &list, client.InNamespace(bg.Namespace), client.MatchingFields{
		"involvedObject.kind": "Ingress", "involvedObject.name": bg.IngressName(),
	})
	if err != nil {
		return track.News{}, fmt.Errorf("listing the events of ingress %s: %w", bg.IngressName(), err)
	}
	news := track.News{
		Now: list.ResourceVersion, Warnings: spent(list.Items, corev1.EventTypeWarning),
		Normals: spent(list.Items, corev1.EventTypeNormal),
	}
	if since == "" {
		return news, nil
	}
	for i := range list.Items {
		event := &list.Items[i]
		order, err := resourceversion.CompareResourceVersion(event.ResourceVersion, since)
		if err != nil {
			return track.News{}, fmt.Errorf("comparing the resource versions of events of ingress %s: %w", bg.IngressName(), err)
		}
		if order > 0 {
			read(&news, event)
		}
	}
	return news, nil
}

// read adds an event to the news. It recognises ingress-gce's messages
// (pkg/loadbalancers/url_maps.go:79, pkg/controller/controller.go:721-760).
func read(n *track.News, event *corev1.Event) {
	switch {
	case event.Reason == eventSync && event.Type == corev1.EventTypeNormal && strings.HasPrefix(event.Message, "UrlMap "):
		n.URLMapUpdated = true
	case event.Reason == eventSync && event.Type == corev1.EventTypeWarning:
		if at := lastAt(event); n.Sync == "" || !at.Before(n.SyncAt) {
			n.Sync, n.SyncAt = event.Message, at
		}
	case event.Reason == eventTranslate && event.Type == corev1.EventTypeWarning:
		if at := lastAt(event); n.Translate == "" || !at.Before(n.TranslateAt) {
			n.Translate, n.TranslateAt = event.Message, at
		}
	}
}

// lastAt is when an event last happened; zero if it has no time.
func lastAt(event *corev1.Event) time.Time {
	at := event.LastTimestamp.Time
	if event.EventTime.After(at) {
		at = event.EventTime.Time
	}
	if s := event.Series; s != nil && s.LastObservedTime.After(at) {
		at = s.LastObservedTime.Time
	}
	return at
}

// spent is how much of the budget for a type of event is in use: the number of these events since
// the oldest kept one, minus the refill since then.
func spent(events []corev1.Event, kind string) int {
	count := 0
	var first, last time.Time
	for i := range events {
		event := &events[i]
		if event.Type != kind {
			continue
		}
		count += max(1, int(event.Count))
		if s := event.Series; s != nil {
			count += max(0, int(s.Count)-1)
		}
		begun, at := event.FirstTimestamp.Time, lastAt(event)
		if begun.IsZero() {
			begun = at
		}
		if first.IsZero() || begun.Before(first) {
			first = begun
		}
		if at.After(last) {
			last = at
		}
	}
	return max(0, count-int(last.Sub(first)/track.Refill))
}
