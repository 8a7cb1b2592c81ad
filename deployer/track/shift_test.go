package track

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A weight that is in effect stays for its time, or until a person promotes it; what a
// larger share needs holds either back.
func TestShiftJudgesAStep(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	minutes := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	stamp := func(n int) *metav1.MicroTime { return &metav1.MicroTime{Time: minutes(n)} }
	steps := []v1alpha1.CanaryStep{
		{Weight: 5, For: metav1.Duration{Duration: 5 * time.Minute}},
		{Weight: 25, Until: v1alpha1.UntilPromote},
		{Weight: 50, For: metav1.Duration{Duration: 5 * time.Minute}},
	}
	need := &v1alpha1.Waiting{For: v1alpha1.WaitsForShift, Because: v1alpha1.BecauseNeed}
	locked := &v1alpha1.Waiting{For: v1alpha1.WaitsForLock}
	for name, tt := range map[string]struct {
		weight   int32
		now      int // minutes after its effect
		promoted int32
		blocked  *v1alpha1.Waiting
		since    *metav1.MicroTime // it is locked
		locked   int               // earlier minutes behind a lock
		want     ShiftOutcome
		to       int32
		waits    v1alpha1.WaitingFor
	}{
		"its time":                         {weight: 5, now: 4, want: ShiftAgain, waits: v1alpha1.WaitsForShift},
		"its time is over":                 {weight: 5, now: 5, want: ShiftRaise, to: 25},
		"its time is over, but for a lock": {weight: 5, now: 9, locked: 5, want: ShiftAgain, waits: v1alpha1.WaitsForShift},
		"over, and a need lacks":           {weight: 5, now: 5, blocked: need, want: ShiftAgain, waits: v1alpha1.WaitsForShift},
		"over, a need lacks, and a person": {weight: 25, now: 60, blocked: need, want: ShiftUnwanted},
		"locked": {
			weight: 5, now: 4, since: stamp(1), blocked: locked, want: ShiftAgain,
			waits: v1alpha1.WaitsForLock,
		},
		"promoted":             {weight: 5, now: 1, promoted: 25, want: ShiftRaise, to: 25},
		"promoted over a step": {weight: 5, now: 1, promoted: 50, want: ShiftRaise, to: 50},
		"promoted to all":      {weight: 5, now: 1, promoted: 100, want: ShiftDone},
		"promoted, and locked": {
			weight: 5, now: 1, promoted: 100, since: stamp(1), blocked: locked, want: ShiftAgain,
			waits: v1alpha1.WaitsForLock,
		},
		"promoted, and a need lacks": {
			weight: 5, now: 1, promoted: 100, blocked: need, want: ShiftAgain,
			waits: v1alpha1.WaitsForShift,
		},
		"promoted to what it has":              {weight: 5, now: 1, promoted: 5, want: ShiftAgain, waits: v1alpha1.WaitsForShift},
		"promoted to what is no step":          {weight: 5, now: 1, promoted: 24, want: ShiftAgain, waits: v1alpha1.WaitsForShift},
		"until a person":                       {weight: 25, now: 59, want: ShiftAgain, waits: v1alpha1.WaitsForApproval},
		"until a person, an earlier promotion": {weight: 25, now: 59, promoted: 25, want: ShiftAgain, waits: v1alpha1.WaitsForApproval},
		"a person":                             {weight: 25, now: 59, promoted: 50, want: ShiftRaise, to: 50},
		"nobody came":                          {weight: 25, now: 60, want: ShiftUnwanted},
		"nobody could come for a lock":         {weight: 25, now: 60, locked: 1, want: ShiftAgain, waits: v1alpha1.WaitsForApproval},
		"nobody can come for a lock": {
			weight: 25, now: 60, since: stamp(1), blocked: locked, want: ShiftAgain,
			waits: v1alpha1.WaitsForLock,
		},
		"the last": {weight: 50, now: 5, want: ShiftDone},
	} {
		l := ShiftLook{
			Now: minutes(tt.now), Steps: steps, Promoted: tt.promoted, Patience: time.Hour, Blocked: tt.blocked, Share: tt.weight, Known: true,
			Last: &v1alpha1.ShiftedWeight{Weight: tt.weight, Generation: 3, EffectiveAt: stamp(0), LockedSince: tt.since},
		}
		if tt.locked > 0 {
			l.Last.Locked = &metav1.Duration{Duration: time.Duration(tt.locked) * time.Minute}
		}
		v := l.Judge()
		if v.Outcome != tt.want || v.Weight != tt.to || tt.waits != "" && (v.Waits == nil || v.Waits.For != tt.waits) {
			t.Errorf("%s: judged %+v, want %d, to %d, waiting for %q", name, v, tt.want, tt.to, tt.waits)
		}
	}
}

// Users keep their share for as long as something holds a step back, so its metrics are judged all
// that time. Only a lock puts off when a verdict is due.
func TestMetricsAreJudgedWhileAStepIsHeldBack(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	minutes := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	stamp := func(n int) *metav1.MicroTime { return &metav1.MicroTime{Time: minutes(n)} }
	steps := []v1alpha1.CanaryStep{{Weight: 5, For: metav1.Duration{Duration: 30 * time.Minute}}}
	need := &v1alpha1.Waiting{For: v1alpha1.WaitsForShift, Because: v1alpha1.BecauseNeed}
	locked := &v1alpha1.Waiting{For: v1alpha1.WaitsForLock}
	const none = -1
	for name, tt := range map[string]struct {
		now         int // minutes after its effect, as all of these
		promoted    int
		blocked     *v1alpha1.Waiting
		since       int // it is locked
		locked      int // earlier minutes behind a lock
		until, owed int
	}{
		"within its time":                             {now: 10, promoted: none, since: none, until: 30, owed: 30},
		"within its time, and a need lacks":           {now: 10, promoted: none, since: none, blocked: need, until: 30, owed: 30},
		"over":                                        {now: 90, promoted: none, since: none, until: 30, owed: 30},
		"over, and a need lacks":                      {now: 90, promoted: none, since: none, blocked: need, until: 90, owed: 30},
		"locked":                                      {now: 90, promoted: none, since: 10, blocked: locked, until: 110, owed: 110},
		"over, then locked":                           {now: 90, promoted: none, since: 40, blocked: locked, until: 90, owed: 80},
		"promoted":                                    {now: 12, promoted: 10, since: none, until: 10, owed: 10},
		"promoted, and a need lacks":                  {now: 90, promoted: 10, since: none, blocked: need, until: 90, owed: 10},
		"promoted, then locked":                       {now: 90, promoted: 10, since: 12, blocked: locked, until: 90, owed: 88},
		"promoted behind a lock":                      {now: 90, promoted: 20, since: 12, blocked: locked, until: 90, owed: 98},
		"promoted, then locked, then unlocked":        {now: 91, promoted: 10, since: none, locked: 78, until: 10, owed: 88},
		"promoted late, and earlier behind a lock":    {now: 52, promoted: 50, since: none, locked: 40, until: 50, owed: 70},
		"promoted when it was over, or soon after it": {now: 90, promoted: 31, since: none, until: 30, owed: 30},
	} {
		l := ShiftLook{
			Now: minutes(tt.now), Steps: steps, Blocked: tt.blocked,
			Last: &v1alpha1.ShiftedWeight{Weight: 5, Generation: 3, EffectiveAt: stamp(0)},
		}
		if tt.promoted != none {
			l.Promoted, l.PromotedAt = whole, minutes(tt.promoted)
		}
		if tt.since != none {
			l.Last.LockedSince = stamp(tt.since)
		}
		if tt.locked > 0 {
			l.Last.Locked = &metav1.Duration{Duration: time.Duration(tt.locked) * time.Minute}
		}
		until, owed := l.Judged()
		if !until.Equal(minutes(tt.until)) || !owed.Equal(minutes(tt.owed)) {
			t.Errorf("%s: judged until %s, owed %s; want %d and %d min", name, until.Sub(start), owed.Sub(start), tt.until, tt.owed)
		}
	}
}
