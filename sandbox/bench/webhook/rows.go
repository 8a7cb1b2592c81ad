package webhook

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/bot/githubtest"
)

// Row is the result of one flood. Times are in milliseconds, from the moment at which a webhook was
// due to its answer.
type Row struct {
	OfferedPerS int     `json:"offered_per_s"`
	Offered     int     `json:"offered"`
	Accepted    int     `json:"accepted"` // answered 202
	Shed        int     `json:"shed"`     // answered otherwise, or not at all
	Pushes      int     `json:"pushes"`   // that concern an application, each counted once
	Lost        int     `json:"lost"`     // pushes that are not recorded in the end
	Recovered   int     `json:"recovered"`
	RecoveredS  float64 `json:"recovered_s"` // from the end of the flood until all were
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	PushP50     float64 `json:"push_p50_ms"` // of those that were written before they were answered
	PushP99     float64 `json:"push_p99_ms"`
	RSS         float64 `json:"rss_mb"` // the most that a process ever had
	// CPU is the processor time in seconds that was used during the flood, by process; "others" is
	// everything that has nothing to do with it.
	CPU map[string]float64 `json:"cpu_s"`
	// Requests of Turnout's that the API server answered during the flood, without watches.
	Requests int `json:"requests"`
	Ended    int `json:"ended"` // processes that ended by themselves, and were started again
}

// Result is the whole measurement: with the API server as it is, and with a slower one.
type Result struct {
	Row
	Slower int `json:"times_slower"`
	Slow   Row `json:"slow"`
}

// Check reports a measurement that missed its purpose, and whatever was lost.
func (r Result) Check() error {
	var errs []error
	for name, row := range map[string]Row{"flood": r.Row, "flood with a slow API server": r.Slow} {
		if row.Offered == 0 && name != "flood" {
			continue
		}
		if row.Pushes == 0 || row.Accepted == 0 || row.RSS == 0 {
			errs = append(errs, fmt.Errorf("%s: nothing was measured: %d pushes, %d accepted, %.0f MB", name, row.Pushes, row.Accepted, row.RSS))
		}
		if name != "flood" && row.Shed == 0 {
			errs = append(errs, fmt.Errorf("%s: nothing was shed: the API server was not slow enough to measure that", name))
		}
		if row.Lost > 0 {
			errs = append(errs, fmt.Errorf("%s: %d of %d pushes are lost", name, row.Lost, row.Pushes))
		}
	}
	return errors.Join(errs...)
}

// tally counts answers, which are in the order in which the events were sent.
func tally(answered []githubtest.Delivery, due []time.Time, all []offered) Row {
	row := Row{Offered: len(answered)}
	var took, written []time.Duration
	distinct := map[string]bool{}
	for i, d := range answered {
		if all[i].commit != "" {
			distinct[all[i].commit] = true
		}
		if d.StatusCode != http.StatusAccepted {
			row.Shed++
			continue
		}
		row.Accepted++
		t := d.At.Add(d.Duration).Sub(due[i])
		took = append(took, t)
		if all[i].commit != "" {
			written = append(written, t)
		}
	}
	row.Pushes = len(distinct)
	row.P50, row.P99 = ms(quantile(took, 50)), ms(quantile(took, 99))
	row.PushP50, row.PushP99 = ms(quantile(written, 50)), ms(quantile(written, 99))
	return row
}

func quantile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)-1)*percent/100]
}

func ms(d time.Duration) float64 { return math.Round(float64(d.Microseconds())/100) / 10 }
