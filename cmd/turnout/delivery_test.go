package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestTurnoutsOwnNamespace(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config serveConfig
		want   string
	}{
		{"as it is told", serveConfig{ownNamespace: "home", leaderElectNamespace: "leases"}, "home"},
		{"where its lease is", serveConfig{leaderElectNamespace: "leases"}, "leases"},
		{"as config/ has it", serveConfig{}, "turnout"},
	} {
		if got := tt.config.home(false); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// refusing is a reader that answers with an error.
type refusing struct {
	client.Reader
	err error
}

func (r refusing) List(context.Context, client.ObjectList, ...client.ListOption) error { return r.err }

func TestDeliveriesThatCannotBeKeptAreFoundAtTheStart(t *testing.T) {
	deliveries := v1alpha1.GroupVersion.WithResource("deliveries").GroupResource()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("connection refused"), ""}, // waited out
		{
			apierrors.NewForbidden(deliveries, "", errors.New("no")),
			"--own-namespace (TURNOUT_OWN_NAMESPACE): deliveries in the namespace home may not be read: apply config/rbac/own.yaml",
		},
		{apierrors.NewNotFound(deliveries, ""), "apply config/crd"},
	} {
		err := checkHome(t.Context(), refusing{err: tt.err}, "home")
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v gives %v, want …%s…", tt.err, err, tt.want)
		}
	}
}

func TestADeliveryThatIsSetAsideIsAnEventWithTheWayOut(t *testing.T) {
	for phase, want := range map[v1alpha1.DeliveryPhase]string{
		v1alpha1.DeliveryDone:        "",
		v1alpha1.DeliveryQuarantined: "Warning Quarantined Handling this webhook ended the process 3 times",
		v1alpha1.DeliveryGaveUp:      "Warning GaveUp Handling this webhook failed 9 times",
	} {
		recorder := events.NewFakeRecorder(1)
		d := &v1alpha1.Delivery{
			Spec:   v1alpha1.DeliverySpec{Delivery: "guid"},
			Status: v1alpha1.DeliveryStatus{Phase: phase, Attempts: 9, Deaths: 3},
		}
		tellQuarantine(recorder, d)
		got := ""
		select {
		case got = <-recorder.Events:
		default:
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" || want != "" && !strings.Contains(got, "redeliver guid") {
			t.Errorf("phase %s is shown as %q, want %q and a next step", phase, got, want)
		}
	}
}
