package cutover

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/turnout-dev/turnout/sandbox/bench/load"
)

// at is a moment, in seconds after an arbitrary one.
func at(seconds float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func answered(seconds float64, version, failure string) load.Answer {
	return load.Answer{Start: at(seconds - 0.1), End: at(seconds), Version: version, Failure: failure}
}

func TestTallyCountsWhatWasAnsweredInThePeriod(t *testing.T) {
	p := period{row: Cold, from: at(0), to: at(10), cutover: &cutover{at: at(2), old: "v1"}}
	got := tally(p, []load.Answer{
		answered(-1, "v1", "503"), // before
		answered(1, "v1", ""),
		answered(3, "v2", ""),
		answered(4, "", "502 Bad Gateway"),
		answered(4.5, "v1", ""), // of a front end that lags
		answered(6, "", "502 Bad Gateway"),
		answered(7, "v2", ""),
		answered(10, "v1", ""), // the next period's
	}, nil)
	want := Row{
		Name: Cold, Cutovers: 1, Requests: 6, Failed: 2, LastOldAnswer: 2.5, LongestFailing: 2,
		Failures: map[string]int{"502 Bad Gateway": 2},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Row{})); diff != "" {
		t.Error(diff)
	}
}

func TestFailuresOfAFaultEndWithTheLastFrontEndThatFollowsTheRestore(t *testing.T) {
	moves := &cutover{at: at(2), old: "v1", fault: at(3), restored: at(8), followed: at(10)}
	p := period{row: GreenFails, from: at(0), to: at(30), cutover: moves}
	for _, test := range []struct {
		seconds float64
		outside int
	}{{2.5, 1}, {3.5, 0}, {10.05, 0}, {12, 1}} {
		got := tally(p, []load.Answer{answered(test.seconds, "", "500")}, nil)
		if got.OutsideFault != test.outside {
			t.Errorf("a failure after %g s: %d outside the fault's time, want %d", test.seconds, got.OutsideFault, test.outside)
		}
	}
}

func TestCheckOfEachRow(t *testing.T) {
	good := Row{Cutovers: 10, Requests: 1000, RequestsPerSecond: 210}
	for name, test := range map[string]struct {
		row  string
		edit func(*Row)
		want string // in the error; empty: none
	}{
		"turnout loses nothing":      {Switch, func(*Row) {}, ""},
		"turnout loses one":          {Rollback, func(r *Row) { r.Failed = 1 }, "1 requests failed"},
		"the model loses nothing":    {Cold, func(*Row) {}, "the model is wrong"},
		"the model loses some":       {Selector, func(r *Row) { r.Failed = 3 }, ""},
		"the fault is seen":          {GreenFails, func(r *Row) { r.Failed = 3 }, ""},
		"nothing failed":             {GreenFails, func(*Row) {}, "nothing was measured"},
		"something failed afterward": {GreenFails, func(r *Row) { r.Failed, r.OutsideFault = 3, 1 }, "after the restore"},
		"too few cut-overs":          {Switch, func(r *Row) { r.Cutovers = 9 }, "9 cut-overs of 10"},
		"nothing was asked":          {Switch, func(r *Row) { r.Requests = 0 }, "nothing was measured"},
		"too little load":            {Switch, func(r *Row) { r.RequestsPerSecond = 199 }, "199 requests a second"},
	} {
		t.Run(name, func(t *testing.T) {
			row := good
			row.Name = test.row
			test.edit(&row)
			err := row.check(10)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if err := (Report{}).Check(10); err == nil || strings.Count(err.Error(), "there is no such row") != len(Rows) {
		t.Errorf("a report without rows: %v", err)
	}
}
