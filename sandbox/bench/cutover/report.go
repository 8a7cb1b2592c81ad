package cutover

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/turnout-dev/turnout/sandbox/gclb"
)

// The rows. The first three are what people do without Turnout.
const (
	Cold             = "kubectl-patch-cold"         // the reference pipeline's patch, to a Service that no Ingress ever referred to
	Ready            = "kubectl-patch-ready"        // the same, to one whose pods have long been ready, and which nothing refers to any more
	Selector         = "selector-flip"              // one Service whose selector changes its colour
	Switch           = "turnout-switch"             // a release
	Rollback         = "turnout-rollback"           // /rollback while the old colour is held
	RollbackFromZero = "turnout-rollback-from-zero" // /rollback after it was shrunk to nothing
	GatewaySwitch    = "turnout-switch-gateway"     // releases behind a Gateway, and rollbacks of them, in turn
	Canary           = "turnout-canary"             // releases behind a Gateway that bring users to the new version in steps
	CanaryCancelled  = "turnout-canary-cancelled"   // the same, cancelled while some users have the new version
	GreenFails       = "turnout-green-fails"        // a release that begins to fail right after its switch
)

// Rows in the order in which they are shown.
//
//nolint:gochecknoglobals // a table
var Rows = []string{Cold, Ready, Selector, Switch, Rollback, RollbackFromZero, GatewaySwitch, Canary, CanaryCancelled, GreenFails}

// Report is the content of docs/bench/switch.json. Times are as measured: those of the load
// balancer are its delays divided by Speed.
type Report struct {
	// Speed is the load balancer's speed, as a multiple of Google's.
	Speed float64 `json:"speed"`
	// Date, and the machine: processors, and its load averages at the end.
	Date    string `json:"date"`
	CPUs    int    `json:"cpus"`
	LoadAvg string `json:"load_average"`
	// Seconds that all of it took.
	Seconds float64 `json:"seconds"`
	// Delays of the load balancer, already divided.
	Delays map[string]string `json:"delays"`
	// BlueGreen are the fields of spec that differ from their defaults.
	BlueGreen map[string]any `json:"bluegreen"`
	// Pods are how those applications end, and how long the old ones are held.
	Pods map[string]string `json:"pods"`
	Rows []Row             `json:"rows"`
}

// Row is one way to move users from one version to another.
type Row struct {
	Name     string `json:"name"`
	Cutovers int    `json:"cutovers"`
	Requests int    `json:"requests"`
	Failed   int    `json:"failed"`
	// LastOldAnswer is the latest time after a cut-over at which the old version answered a
	// request. A request that takes 3 seconds may have been sent 3 seconds before.
	LastOldAnswer float64 `json:"last_old_answer_s"`
	// RequestsPerSecond are those that were sent, on average.
	RequestsPerSecond float64 `json:"requests_per_second"`
	// LongestFailing is the longest time from the first to the last failure of a
	// cut-over.
	LongestFailing float64 `json:"longest_failing_s"`
	// Failures as clients saw them, and Refusals as the load balancer's log explains its own. Not
	// all refused requests were ours: Turnout's proof sends some, too.
	Failures map[string]int `json:"failures,omitempty"`
	Refusals map[string]int `json:"refusals,omitempty"`
	// FaultToRestore is, of green-fails only, the longest time from the fault to the
	// patch that restored the previous version; LastFailureAfterRestore how much
	// longer requests failed, on front ends that had not followed yet.
	// OutsideFault counts failures that were neither.
	FaultToRestore          float64 `json:"fault_to_restore_s,omitempty"`
	LastFailureAfterRestore float64 `json:"last_failure_after_restore_s,omitempty"`
	OutsideFault            int     `json:"failed_outside_fault,omitempty"`

	lasted time.Duration
}

// minRate is how many requests a second each row must have had.
const minRate = 200

// Check compares a report with what must be true: Turnout's rows lose nothing, except during the
// fault; the others lose something, or the load balancer does not behave like Google's.
func (r Report) Check(cutovers int) error {
	var wrong []error
	for _, name := range Rows {
		i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name })
		if i < 0 {
			wrong = append(wrong, fmt.Errorf("%s: there is no such row", name))
			continue
		}
		if err := r.Rows[i].check(cutovers); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(wrong...)
}

func (r Row) check(cutovers int) error {
	switch {
	case r.Requests == 0:
		return errors.New("nothing was measured: no request was answered")
	case r.Cutovers < cutovers:
		return fmt.Errorf("%d cut-overs of %d", r.Cutovers, cutovers)
	case r.RequestsPerSecond < minRate:
		return fmt.Errorf("%.0f requests a second instead of %d", r.RequestsPerSecond, minRate)
	}
	switch r.Name {
	case Cold, Ready, Selector:
		if r.Failed == 0 {
			return errors.New("no request failed, as some do on Google's load balancer: the model is wrong")
		}
	case GreenFails:
		if r.OutsideFault > 0 {
			return fmt.Errorf("%d requests failed before the fault or after the restore", r.OutsideFault)
		}
		if r.Failed == 0 {
			return errors.New("no request failed although the new version did: nothing was measured")
		}
	default:
		if r.Failed > 0 {
			return fmt.Errorf("%d requests failed: %s", r.Failed, counts(r.Failures))
		}
	}
	return nil
}

// Print writes the report as a table.
func (r Report) Print(out io.Writer) error {
	fmt.Fprintf(out, "\nThe load balancer's delays are Google's divided by %g: %s.\n", r.Speed, pairs(r.Delays))
	fmt.Fprintf(out, "Turnout's applications: %s.\n", pairs(r.BlueGreen))
	fmt.Fprintf(out, "Their pods: %s.\n", pairs(r.Pods))
	fmt.Fprintf(out, "%s, %d processors, load average %s, %.0f s in all.\n\n", r.Date, r.CPUs, r.LoadAvg, r.Seconds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tcut-overs\trequests\tfailed\tlast old answer\tfailing for\trequests/s\twhy")
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.1f s\t%.1f s\t%.0f\t%s\n", row.Name, row.Cutovers, row.Requests, row.Failed,
			row.LastOldAnswer, row.LongestFailing, row.RequestsPerSecond, row.why())
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	return nil
}

func (r Row) why() string {
	text := counts(r.Failures)
	if r.Failed > 0 && len(r.Refusals) > 0 {
		text += " (load balancer: " + counts(r.Refusals) + ")"
	}
	if r.Name == GreenFails {
		text += fmt.Sprintf("; restored after %.1f s, the last front end %.1f s later", r.FaultToRestore, r.LastFailureAfterRestore)
	}
	return text
}

func counts(m map[string]int) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d × %s", m[key], key))
	}
	return strings.Join(parts, ", ")
}

func pairs[V any](m map[string]V) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %v", key, m[key]))
	}
	return strings.Join(parts, ", ")
}

// divided are a load balancer's delays at a speed.
func divided(d gclb.Delays, speed float64) map[string]string {
	all := map[string]string{}
	for name, value := range map[string]time.Duration{
		"operation": d.Operation, "attach": d.Attach, "detach": d.Detach, "health check start": d.HealthCheckStart,
		"first adoption": d.FirstAdoption, "last adoption": d.LastAdoption,
	} {
		all[name] = time.Duration(float64(value) / speed).String()
	}
	return all
}
