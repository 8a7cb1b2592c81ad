// Package bench measures Turnout in the sandbox: the real binary on a real API
// server, as people see it from outside.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Latencies are what [Latency] writes, in milliseconds.
type Latencies struct {
	// ReadyToSwitch is the time from the last pod of the target becoming Ready until the Ingress
	// routes users to it, both as seen by a watch. Some take a second more: Kubernetes'
	// EndpointSlice controller, which has to publish the pod first, backs off that long when its
	// own cache lags behind its last write (pkg/controller/endpointslice: StaleInformerCache,
	// defaultSyncBackOff).
	ReadyToSwitch Summary `json:"ready_to_switch_ms"`
	// RollbackToSwitch is the time from a person's /rollback comment until the Ingress routes
	// users back.
	RollbackToSwitch Summary `json:"rollback_comment_to_switch_ms"`
	// WebhookToBuild is the time from GitHub sending the push until Cloud Build has the build.
	WebhookToBuild Summary `json:"webhook_to_build_ms"`
}

// Summary summarises a sample.
type Summary struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	N   int     `json:"n"`
}

// summarize returns the percentiles by nearest rank.
func summarize(sample []time.Duration) Summary {
	if len(sample) == 0 {
		return Summary{}
	}
	slices.Sort(sample)
	rank := func(p float64) float64 {
		i := int(math.Ceil(p*float64(len(sample)))) - 1
		return float64(sample[max(i, 0)].Microseconds()) / 1000
	}
	return Summary{P50: rank(0.50), P99: rank(0.99), N: len(sample)}
}

// Latency releases and rolls back n times each, one after the other: plain
// Ingress class, no gate, automatic promotion, rollback within hold.
func Latency(ctx context.Context, o Options, n int) (Latencies, error) {
	if n < 1 {
		return Latencies{}, fmt.Errorf("--n is %d: measure 1 release or more", n)
	}
	r, err := newRig(ctx, o)
	if err != nil {
		return Latencies{}, err
	}
	defer r.stop()
	var switches, rollbacks, builds []time.Duration
	for i := range n {
		ready, build, err := r.release(ctx, "")
		if err != nil {
			return Latencies{}, fmt.Errorf("release %d of %d: %w", i+1, n, err)
		}
		switches, builds = append(switches, ready), append(builds, build)
		o.progress("release %d of %d: ready to switch %s, webhook to build %s", i+1, n, ready.Round(time.Millisecond),
			build.Round(time.Millisecond))
	}
	if err := r.hold(ctx, time.Hour); err != nil {
		return Latencies{}, err
	}
	for i := range n {
		// From the first rollback on, a deploy contains the rolled-back commit, and waits for a
		// person.
		if _, _, err := r.release(ctx, "/promote"); err != nil {
			return Latencies{}, fmt.Errorf("release before rollback %d of %d: %w", i+1, n, err)
		}
		took, err := r.rollBack(ctx)
		if err != nil {
			return Latencies{}, fmt.Errorf("rollback %d of %d: %w", i+1, n, err)
		}
		rollbacks = append(rollbacks, took)
		o.progress("rollback %d of %d: comment to switch %s", i+1, n, took.Round(time.Millisecond))
	}
	l := Latencies{ReadyToSwitch: summarize(switches), RollbackToSwitch: summarize(rollbacks), WebhookToBuild: summarize(builds)}
	return l, l.check(n)
}

// check reports a measurement that missed its purpose.
func (l Latencies) check(n int) error {
	for name, s := range map[string]Summary{
		"ready to switch": l.ReadyToSwitch, "rollback to switch": l.RollbackToSwitch,
		"webhook to build": l.WebhookToBuild,
	} {
		if s.N < max(n, 1) || s.P50 <= 0 {
			return fmt.Errorf("%s: nothing was measured: %d samples of %d, in the middle %.3f ms", name, s.N, n, s.P50)
		}
	}
	return nil
}

// Write writes a result as JSON and prints it.
func Write(out io.Writer, path string, result any) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	text = append(text, '\n')
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	_, err = out.Write(text)
	return err
}
