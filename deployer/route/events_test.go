package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/deployer/track"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// sync is a Sync event that happened count times over so many minutes from noon.
func syncEvent(kind, message string, count int32, minutes int) corev1.Event {
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
		{"of another type", []corev1.Event{syncEvent("Warning", "", 25, 0)}, 0},
		{"at once", []corev1.Event{syncEvent("Normal", "Scheduled for sync", 20, 0), syncEvent("Normal", "UrlMap", 4, 1)}, 24},
		{"over an hour", []corev1.Event{syncEvent("Normal", "Scheduled for sync", 20, 60)}, 8},
		{"rarely", []corev1.Event{syncEvent("Normal", "Scheduled for sync", 3, 600)}, 0},
		{"as a series", []corev1.Event{series}, 9},
		{"the first comes last", []corev1.Event{since(9, 10), since(0, 1), since(4, 5)}, 1},
		{"the last comes first", []corev1.Event{since(0, 10), since(0, 1)}, 0},
		{"both in between", []corev1.Event{since(2, 3), since(0, 11), since(1, 2), since(3, 4)}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := spent(tt.events, "Normal"); got != tt.want {
				t.Errorf("%d are spent, want %d", got, tt.want)
			}
		})
	}
}

// since is an event that began some minutes after noon and last came at another.
func since(first, last int) corev1.Event {
	e := syncEvent("Normal", "", 1, last)
	e.FirstTimestamp = metav1.NewTime(noon.Add(time.Duration(first) * time.Minute))
	return e
}

// Only the controller's own messages count, each of its kind.
func TestEventsAreReadByReasonTypeAndWords(t *testing.T) {
	failed := track.News{Sync: "quota", SyncAt: noon}
	untranslated := track.News{Translate: "no port", TranslateAt: noon}
	for _, tt := range []struct {
		kind, reason, message string
		want                  track.News
	}{
		{"Normal", "Sync", `UrlMap "k8s2-um-a" updated`, track.News{URLMapUpdated: true}},
		{"Normal", "Sync", "Scheduled for sync", track.News{}},
		{"Normal", "Other", `UrlMap "k8s2-um-a" updated`, track.News{}},
		{"Warning", "Sync", `UrlMap "k8s2-um-a" updated`, track.News{Sync: `UrlMap "k8s2-um-a" updated`, SyncAt: noon}},
		{"Warning", "Sync", "quota", failed},
		{"Normal", "Sync", "quota", track.News{}},
		{"Warning", "Other", "quota", track.News{}},
		{"Warning", "Translate", "no port", untranslated},
		{"Normal", "Translate", "no port", track.News{}},
	} {
		var n track.News
		e := syncEvent(tt.kind, tt.message, 1, 0)
		e.Reason = tt.reason
		read(&n, &e)
		if diff := cmp.Diff(tt.want, n); diff != "" {
			t.Errorf("%s %s %q is read as (-want +got):\n%s", tt.kind, tt.reason, tt.message, diff)
		}
	}
}

func TestLastTimeOfAnEventIsTheLatestThatItNames(t *testing.T) {
	at := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	event := func(last, eventTime, series int) *corev1.Event {
		e := &corev1.Event{LastTimestamp: metav1.NewTime(at(last)), EventTime: metav1.NewMicroTime(at(eventTime))}
		if series > 0 {
			e.Series = &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(series))}
		}
		return e
	}
	for _, tt := range []struct {
		e    *corev1.Event
		want int
	}{{event(3, 2, 1), 3}, {event(2, 3, 1), 3}, {event(1, 2, 3), 3}, {event(3, 1, 0), 3}, {event(1, 3, 0), 3}} {
		if got := lastAt(tt.e); !got.Equal(at(tt.want)) {
			t.Errorf("%+v came last at %s", tt.e, got)
		}
	}
	if got := lastAt(&corev1.Event{}); !got.IsZero() {
		t.Errorf("an event without a time came at %s", got)
	}
}

// The latest warning counts, in whatever order the API server lists them.
func TestLastWarningCounts(t *testing.T) {
	for _, events := range [][]corev1.Event{
		{syncEvent("Warning", "quota", 1, 1), syncEvent("Warning", "not found", 3, 5)},
		{syncEvent("Warning", "not found", 3, 5), syncEvent("Warning", "quota", 1, 1)},
		{syncEvent("Warning", "quota", 1, 5), syncEvent("Warning", "not found", 3, 5)},
	} {
		var n track.News
		for i := range events {
			read(&n, &events[i])
		}
		if n.Sync != "not found" || !n.SyncAt.Equal(noon.Add(5*time.Minute)) {
			t.Errorf("the last event is %q at %s", n.Sync, n.SyncAt)
		}
	}
}
