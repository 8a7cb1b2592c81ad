package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/record"
)

// botDeliveries implements the bot's interface with deliveries in Kubernetes.
type botDeliveries struct{ *record.Deliveries }

var _ bot.Deliveries = botDeliveries{}

func (r botDeliveries) Get(ctx context.Context, name string) (*v1alpha1.Delivery, error) {
	d, err := r.Deliveries.Get(ctx, name)
	return d, translate(err)
}

func (r botDeliveries) Update(ctx context.Context, d *v1alpha1.Delivery) error {
	err := r.Deliveries.Update(ctx, d)
	if errors.Is(err, record.ErrHeld) {
		return fmt.Errorf("%w: %w", bot.ErrRace, err)
	}
	return translate(err)
}

// podNamespaceFile is where a pod finds its namespace.
const podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// defaultNamespace is the namespace in config/.
const defaultNamespace = "turnout"

// home is Turnout's own namespace, with the deliveries.
func (c *serveConfig) home(inside bool) string {
	if c.ownNamespace != "" {
		return c.ownNamespace
	}
	if inside {
		if name, err := os.ReadFile(podNamespaceFile); err == nil && len(strings.TrimSpace(string(name))) > 0 {
			return strings.TrimSpace(string(name))
		}
	}
	if c.leaderElectNamespace != "" {
		return c.leaderElectNamespace
	}
	return defaultNamespace
}

// checkHome reads the deliveries once: without them no webhook could be stored, and every
// one would be lost. It tolerates that Kubernetes does not answer.
func checkHome(ctx context.Context, reader client.Reader, namespace string) error {
	err := reader.List(ctx, &v1alpha1.DeliveryList{}, client.InNamespace(namespace), client.Limit(1))
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("--own-namespace (%s): deliveries in the namespace %s may not be read: apply config/rbac/own.yaml, or name Turnout's "+
			"own namespace: %w",
			variable("own-namespace"), namespace, err)
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return fmt.Errorf("there are no deliveries in Kubernetes: apply config/crd: %w", err)
	}
	return nil
}

// tellQuarantine makes an event of a delivery that was given up.
func tellQuarantine(recorder events.EventRecorder, d *v1alpha1.Delivery) {
	switch d.Status.Phase {
	case v1alpha1.DeliveryQuarantined:
		recorder.Eventf(d, nil, corev1.EventTypeWarning, "Quarantined", "Handle",
			"Handling this webhook ended the process %d times, so it is not tried again: %s. Delete it and redeliver %s in the App's settings to "+
				"try again.",
			d.Status.Deaths, d.Status.Error, d.Spec.Delivery)
	case v1alpha1.DeliveryGaveUp:
		recorder.Eventf(d, nil, corev1.EventTypeWarning, "GaveUp", "Handle",
			"Handling this webhook failed %d times: %s. Delete it and redeliver %s in the App's settings to try again.",
			d.Status.Attempts, d.Status.Error, d.Spec.Delivery)
	case v1alpha1.DeliveryPending, v1alpha1.DeliveryDone:
	}
}

// settled counts a finished delivery, and makes an event if it was given up.
func settled(mgr ctrl.Manager, m *metrics) func(*v1alpha1.Delivery) {
	recorder := mgr.GetEventRecorder("turnout")
	return func(d *v1alpha1.Delivery) {
		m.delivery(d)
		tellQuarantine(recorder, d)
	}
}
