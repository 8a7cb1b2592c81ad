package record

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A process that starts sees every delivery as new: it handles those that another one began, and not
// the thousands that are finished. While it runs, only what waits for a call gets one.
func TestOnlyDueDeliveriesAreCalledFor(t *testing.T) {
	t.Parallel()
	pending, failed := v1alpha1.DeliveryStatus{}, v1alpha1.DeliveryStatus{Phase: v1alpha1.DeliveryPending, Error: "no answer"}
	running := v1alpha1.DeliveryStatus{Phase: v1alpha1.DeliveryPending, Running: "process-1"}
	for name, tt := range map[string]struct {
		status          v1alpha1.DeliveryStatus
		created, update bool
	}{
		"pending":     {pending, true, true},
		"failed":      {failed, true, true},
		"running":     {running, true, false},
		"done":        {v1alpha1.DeliveryStatus{Phase: v1alpha1.DeliveryDone}, false, false},
		"gave up":     {v1alpha1.DeliveryStatus{Phase: v1alpha1.DeliveryGaveUp}, false, false},
		"quarantined": {v1alpha1.DeliveryStatus{Phase: v1alpha1.DeliveryQuarantined}, false, false},
	} {
		d := &v1alpha1.Delivery{Status: tt.status}
		if got := due().Create(event.CreateEvent{Object: d}); got != tt.created {
			t.Errorf("%s, seen for the first time: called for %v, want %v", name, got, tt.created)
		}
		if got := due().Update(event.UpdateEvent{ObjectOld: &v1alpha1.Delivery{}, ObjectNew: d}); got != tt.update {
			t.Errorf("%s, changed: called for %v, want %v", name, got, tt.update)
		}
	}
}
