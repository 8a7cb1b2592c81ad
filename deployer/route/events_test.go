package route

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/deployer/track"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// sync is an event of a sync that came some times, from noon on for so many minutes.
func sync(kind, message string, count int32, minutes int) corev1.Event {
	last := metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
	return corev1.Event{Type: kind, Reason: "Sync", Message: message, Count: count, FirstTimestamp: metav1.NewTime(noon), LastTimestamp: last}
}

func TestBudgetOfEventsComesBack(t *testing.T) {
	series := corev1.Event{
		Type: "Normal", EventTime: metav1.NewMicroTime(noon),
		Series: &corev1.EventSeries{Count: 9, LastObservedTime: metav1.NewMicroTime(noon.Add(10 * time.Minute))},
	}
	tests := []struct {
		name   string
		events []corev1.Event
		want   int
	}{
		{"none", nil, 0},
		{"of another type", []corev1.Event{sync("Warning", "", 25, 0)}, 0},
		{"at once", []corev1.Event{sync("Normal", "Scheduled for sync", 20, 0), sync("Normal", "UrlMap", 4, 1)}, 24},
		{"over an hour", []corev1.Event{sync("Normal", "Scheduled for sync", 20, 60)}, 8},
		{"rarely", []corev1.Event{sync("Normal", "Scheduled for sync", 3, 600)}, 0},
		{"as a series", []corev1.Event{series}, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := spent(tt.events, "Normal"); got != tt.want {
				t.Errorf("%d are spent, want %d", got, tt.want)
			}
		})
	}
}

// However the API server orders them, the last word counts.
func TestLastWarningCounts(t *testing.T) {
	for _, events := range [][]corev1.Event{
		{sync("Warning", "quota", 1, 1), sync("Warning", "not found", 3, 5)},
		{sync("Warning", "not found", 3, 5), sync("Warning", "quota", 1, 1)},
	} {
		var n track.News
		for i := range events {
			read(&n, &events[i])
		}
		if n.Sync != "not found" || !n.SyncAt.Equal(noon.Add(5*time.Minute)) {
			t.Errorf("the last word is %q at %s", n.Sync, n.SyncAt)
		}
	}
}
