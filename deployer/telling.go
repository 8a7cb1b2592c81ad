package deployer

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/record"
)

// telling emits events, for people who look at events.
type telling struct{ *work }

// warn emits an event about something that cannot be written into the record.
func (w telling) warn(reason, message string) {
	w.log.Warn("something cannot be recorded", "reason", reason, "message", record.Message(message))
	w.event(corev1.EventTypeWarning, reason, message)
}

func (w telling) event(kind, reason, message string) {
	if w.d.Events != nil {
		w.d.Events.Eventf(w.bg, nil, kind, reason, "Inspect", "%s", record.Message(message))
	}
}
