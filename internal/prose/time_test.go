package prose

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shown checks how a function shows each duration.
func shown(t *testing.T, show func(time.Duration) string, want map[time.Duration]string) {
	t.Helper()
	got := map[time.Duration]string{}
	for d := range want {
		got[d] = show(d)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("durations (-want +got):\n%s", diff)
	}
}

func TestASpanIsAsPreciseAsItMatters(t *testing.T) {
	shown(t, Span, map[time.Duration]string{
		-time.Second: "0.0 s", 0: "0.0 s", 300 * time.Millisecond: "0.3 s", time.Second: "1.0 s", 9949 * time.Millisecond: "9.9 s",
		9950 * time.Millisecond: "10 s", 59*time.Second + 400*time.Millisecond: "59 s", 59*time.Second + 600*time.Millisecond: "1 min",
		63 * time.Second: "1 min 3 s", time.Hour - time.Second/2: "1 h", time.Hour: "1 h",
		2*time.Hour + 5*time.Minute + 10*time.Second: "2 h 5 min", 26 * time.Hour: "26 h",
	})
}

func TestALatencyHasMilliseconds(t *testing.T) {
	shown(t, Latency, map[time.Duration]string{
		0: "under 1 ms", 999 * time.Microsecond: "under 1 ms", time.Millisecond: "1 ms", 999400 * time.Microsecond: "999 ms",
		999600 * time.Microsecond: "1.0 s", 1200 * time.Millisecond: "1.2 s", 63 * time.Second: "1 min 3 s",
	})
}

func TestAnEstimateIsRoundedUp(t *testing.T) {
	shown(t, Estimate, map[time.Duration]string{
		time.Second: "about 10 s", 11 * time.Second: "about 20 s", 50 * time.Second: "about 50 s", 51 * time.Second: "about 1 min",
		61 * time.Second: "about 2 min",
	})
}

func TestASettingIsShownAsInASpec(t *testing.T) {
	shown(t, Setting, map[time.Duration]string{
		15 * time.Minute: "15m", 90 * time.Second: "1m30s", 2 * time.Hour: "2h", 2*time.Hour + time.Minute: "2h1m", 40 * time.Second: "40s",
	})
}

func TestATimeIsInUTC(t *testing.T) {
	if got := Minute(time.Date(2026, 11, 26, 1, 5, 59, 0, time.FixedZone("", 7200))); got != "2026-11-25 23:05 UTC" {
		t.Errorf("the time is %s", got)
	}
}
