package prose

import (
	"fmt"
	"strings"
	"time"
)

// Minute shows a day and a time. People always read times in UTC, so that all readers see
// the same.
func Minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Span shows how long something took, as precisely as it matters: 0.3 s, 12 s, 1 min 3 s, 2
// h 5 min.
func Span(d time.Duration) string {
	if d = max(0, d).Round(100 * time.Millisecond); d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	if d = d.Round(time.Second); d >= time.Hour {
		d = d.Round(time.Minute)
	}
	var parts []string
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d -= n * unit.size
		}
	}
	return strings.Join(parts, " ")
}

// Latency does what [Span] does, to the millisecond below a second.
func Latency(d time.Duration) string {
	switch ms := d.Round(time.Millisecond); {
	case d < time.Millisecond:
		return "under 1 ms"
	case ms < time.Second:
		return fmt.Sprintf("%d ms", ms.Milliseconds())
	}
	return Span(d)
}

// Estimate shows how long something will probably take, rounded up to coarse steps.
func Estimate(d time.Duration) string {
	const step = 10 * time.Second
	if d <= 5*step {
		return fmt.Sprintf("about %d s", max(1, (d+step-1)/step)*10)
	}
	return fmt.Sprintf("about %d min", (d+time.Minute-1)/time.Minute)
}

// Setting shows a duration as in a spec: 15m, not 15m0s.
func Setting(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
