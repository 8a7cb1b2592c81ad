package route

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Reasons of the events that ingress-gce makes of an Ingress (pkg/events/events.go:24-33).
const (
	eventSync      = "Sync"
	eventTranslate = "Translate"
)

// News is what the controller of an Ingress said of it since some moment. That
// it said nothing means nothing: events are lost, and a controller has a budget
// of them.
type News struct {
	// Now is the moment of this look, for the next one.
	Now string
	// URLMapUpdated: the load balancer's routes were replaced.
	URLMapUpdated bool
	// Translate is why the Ingress could not be translated; empty if that was not
	// said.
	Translate string
	// Sync is why the load balancer could not be programmed; it is tried again.
	Sync string
}

// News reads the events of an application's Ingress that came, or were
// repeated, since a moment that an earlier look was at. With since "" it only
// says which moment this is. Moments are resource versions: no clock is compared
// with another's.
func (r *Router) News(ctx context.Context, bg *v1alpha1.BlueGreen, since string) (News, error) {
	var list corev1.EventList
	err := r.Reader.List(ctx, &list, client.InNamespace(bg.Namespace), client.MatchingFields{
		"involvedObject.kind": "Ingress", "involvedObject.name": bg.IngressName(),
	})
	if err != nil {
		return News{}, fmt.Errorf("listing the events of ingress %s: %w", bg.IngressName(), err)
	}
	news := News{Now: list.ResourceVersion}
	if since == "" {
		return news, nil
	}
	for i := range list.Items {
		event := &list.Items[i]
		order, err := resourceversion.CompareResourceVersion(event.ResourceVersion, since)
		if err != nil {
			return News{}, fmt.Errorf("comparing the resource versions of events of ingress %s: %w", bg.IngressName(), err)
		}
		if order > 0 {
			news.read(event)
		}
	}
	return news, nil
}

// read takes in an event. Its words are those of ingress-gce
// (pkg/loadbalancers/url_maps.go:79, pkg/controller/controller.go:721-760).
func (n *News) read(event *corev1.Event) {
	switch {
	case event.Reason == eventSync && event.Type == corev1.EventTypeNormal && strings.HasPrefix(event.Message, "UrlMap "):
		n.URLMapUpdated = true
	case event.Reason == eventSync && event.Type == corev1.EventTypeWarning:
		n.Sync = event.Message
	case event.Reason == eventTranslate && event.Type == corev1.EventTypeWarning:
		n.Translate = event.Message
	}
}
