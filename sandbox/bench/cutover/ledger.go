package cutover

import (
	"math"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/sandbox/bench/load"
)

// period is a time in which an application belonged to a row.
type period struct {
	row      string
	from, to time.Time
	cutover  *cutover // nil: it has not happened
}

// cutover is the moment in which users were sent to another version.
type cutover struct {
	at  time.Time
	old string // version
	// fault, restored and followed are when the new version was broken, when users were
	// sent back, and when every front end did so.
	fault, restored, followed time.Time
}

// tally sums up what was answered in a period. Answers belong to the period in
// which they came.
func tally(p period, answers []load.Answer, refusals map[string]int) Row {
	row := Row{Name: p.row, Failures: map[string]int{}, Refusals: refusals, lasted: p.to.Sub(p.from)}
	var first, last time.Time
	for _, a := range answers {
		if a.End.Before(p.from) || !a.End.Before(p.to) {
			continue
		}
		row.Requests++
		if p.cutover != nil && a.Version == p.cutover.old && a.Failure == "" &&
			(p.cutover.restored.IsZero() || a.End.Before(p.cutover.restored)) {
			row.LastOldAnswer = max(row.LastOldAnswer, a.End.Sub(p.cutover.at).Seconds())
		}
		if a.Failure == "" {
			continue
		}
		row.Failed++
		row.Failures[kind(a.Failure)]++
		if first.IsZero() {
			first = a.End
		}
		last = a.End
		if p.row == GreenFails {
			row.countFault(p.cutover, a)
		}
	}
	row.LongestFailing = last.Sub(first).Seconds()
	if p.cutover != nil {
		row.Cutovers = 1
		if !p.cutover.restored.IsZero() {
			row.FaultToRestore = p.cutover.restored.Sub(p.cutover.fault).Seconds()
		}
	}
	return row
}

// countFault reports whether a failure is the fault's: between the fault and the time when every
// front end has followed the restore.
func (r *Row) countFault(c *cutover, a load.Answer) {
	if c == nil || c.fault.IsZero() || a.End.Before(c.fault) || !c.followed.IsZero() && a.Start.After(c.followed) {
		r.OutsideFault++
		return
	}
	if !c.restored.IsZero() {
		r.LastFailureAfterRestore = max(r.LastFailureAfterRestore, a.End.Sub(c.restored).Seconds())
	}
}

// kind is a failure without its variable parts: addresses.
func kind(failure string) string {
	head, tail, found := strings.Cut(failure, ": ")
	if !found {
		return failure
	}
	if i := strings.LastIndex(tail, ": "); i >= 0 {
		tail = tail[i+2:]
	}
	return head + ": " + tail
}

// add sums up two tallies of one row.
func (r *Row) add(other Row) {
	r.Cutovers += other.Cutovers
	r.Requests += other.Requests
	r.Failed += other.Failed
	r.OutsideFault += other.OutsideFault
	r.LastOldAnswer = max(r.LastOldAnswer, other.LastOldAnswer)
	r.LongestFailing = max(r.LongestFailing, other.LongestFailing)
	r.FaultToRestore = max(r.FaultToRestore, other.FaultToRestore)
	r.LastFailureAfterRestore = max(r.LastFailureAfterRestore, other.LastFailureAfterRestore)
	r.lasted += other.lasted
	for key, n := range other.Failures {
		r.Failures[key] += n
	}
	for key, n := range other.Refusals {
		r.Refusals[key] += n
	}
}

// round leaves the significant part: tenths.
func (r *Row) round() {
	for _, value := range []*float64{
		&r.LastOldAnswer, &r.RequestsPerSecond, &r.LongestFailing, &r.FaultToRestore,
		&r.LastFailureAfterRestore,
	} {
		*value = math.Round(*value*10) / 10
	}
}
