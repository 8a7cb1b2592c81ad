package report

import (
	"fmt"
	"time"
)

// Every time is in UTC, so that all readers see the same. A comment is read days later
// too, so its first time has a date.

// date shows a day and a time of day.
func date(t time.Time) string {
	return t.UTC().Format("2 Jan 15:04 UTC")
}

// clock shows a time of day, to the second.
func clock(t time.Time) string {
	return t.UTC().Format("15:04:05")
}

// minute shows a time of day to the minute, with its date if that is not day's.
func minute(t, day time.Time) string {
	if t.UTC().YearDay() != day.UTC().YearDay() || t.UTC().Year() != day.UTC().Year() {
		return date(t)
	}
	return t.UTC().Format("15:04 UTC")
}

// span shows a duration as precisely as it matters.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// about shows how long something will probably take: rounded up, in steps that do not
// pretend to be exact.
func about(d time.Duration) string {
	if d <= 50*time.Second {
		return fmt.Sprintf("about %d s", max(1, (d+10*time.Second-1)/(10*time.Second))*10)
	}
	return fmt.Sprintf("about %d min", (d+time.Minute-1)/time.Minute)
}
