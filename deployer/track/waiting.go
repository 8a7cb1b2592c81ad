package track

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Wait is a wait until a time, or until something watched changes.
type Wait struct {
	Until   time.Time
	Message string            // for people
	Waits   *v1alpha1.Waiting // the same in facts
}

// Rests reports whether there is something to wait for.
func (w Wait) Rests() bool { return !w.Until.IsZero() || w.Message != "" }

// WaitsFor is a wait without further details.
func WaitsFor(what v1alpha1.WaitingFor, because v1alpha1.WaitingBecause) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: what, Because: because}
}

// WaitsUntil is a wait that ends by itself.
func WaitsUntil(what v1alpha1.WaitingFor, because v1alpha1.WaitingBecause, until time.Time) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: what, Because: because, Until: Stamp(until)}
}

// WaitsForObject is a wait for an object, or an address.
func WaitsForObject(what v1alpha1.WaitingFor, because v1alpha1.WaitingBecause, object string) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: what, Because: because, Object: object}
}

// Stamp is a time for the record; nil if it has not happened yet. It is cut to the record's
// precision, or every look would write it again.
func Stamp(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	at := metav1.NewTime(t).Rfc3339Copy()
	return &at
}

// WaitsForUnlock is the wait for a person to unlock the application.
func WaitsForUnlock(l *v1alpha1.Lock) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForLock, By: l.By, Since: Stamp(l.At.Time), Detail: l.Reason}
}
