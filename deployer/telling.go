package deployer

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"

	"github.com/turnout-dev/turnout/record"
)

// telling emits events.
type telling struct {
	events events.EventRecorder // nil: no events
}

// warn emits an event about something that cannot be recorded.
func (t telling) warn(w *work, reason, message string) {
	w.log.Warn("something cannot be recorded", "reason", reason, "message", record.Message(message))
	t.event(w, corev1.EventTypeWarning, reason, message)
}

func (t telling) event(w *work, kind, reason, message string) {
	if t.events != nil {
		t.events.Eventf(w.bg, nil, kind, reason, "Inspect", "%s", record.Message(message))
	}
}
