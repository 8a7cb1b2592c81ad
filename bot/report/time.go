package report

import (
	"time"
)

// Every time is in UTC, so that all readers see the same. The first time in a comment has a
// date, since people read comments days later.

// date shows a day and a time.
func date(t time.Time) string {
	return t.UTC().Format("2 Jan 15:04 UTC")
}

// clock shows a time, to the second.
func clock(t time.Time) string {
	return t.UTC().Format("15:04:05")
}

// minute shows a time to the minute. It adds the date if that is not day's.
func minute(t, day time.Time) string {
	if t.UTC().YearDay() != day.UTC().YearDay() || t.UTC().Year() != day.UTC().Year() {
		return date(t)
	}
	return t.UTC().Format("15:04 UTC")
}
