package main

import (
	"context"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

// giveBackEvery is how often unused memory goes back to the system. Go returns it over minutes, and
// keeps as much as is in use, for the next peak; but most of the time nothing happens.
const giveBackEvery = time.Minute

// While the caches fill and each application gets its first look, memory is collected once it has grown
// by a quarter, not only once it has doubled: what stays would be scattered over twice its size, and such
// memory cannot go back. With a thousand applications, that is 17 of 89 MB. It takes processor time, so
// it ends with the first two seconds in which hardly anything was allocated, or after a while.
const (
	fillingPercent = 25
	fillingAtMost  = 2 * time.Minute
	quiet          = 2 << 20 // bytes in a second; at rest it is a tenth, while the caches fill ten times this
)

// giveBackMemory returns unused memory to the system, until ctx ends. allocated is how many bytes the
// process has ever allocated. Whoever sets GOGC decides when Go collects.
func giveBackMemory(ctx context.Context, allocated func() uint64) {
	if os.Getenv("GOGC") == "" {
		usual := debug.SetGCPercent(fillingPercent)
		awaitQuiet(ctx, allocated)
		debug.SetGCPercent(usual)
		debug.FreeOSMemory()
	}
	tick := time.NewTicker(giveBackEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			debug.FreeOSMemory()
		}
	}
}

// awaitQuiet waits until hardly anything is allocated, at most fillingAtMost.
func awaitQuiet(ctx context.Context, allocated func() uint64) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began, last, quietFor := time.Now(), allocated(), 0
	for quietFor < 2 && time.Since(began) < fillingAtMost {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := allocated()
		if quietFor++; now-last > quiet {
			quietFor = 0
		}
		last = now
	}
}

// allocated is how many bytes this process has ever allocated.
func allocated() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	runtimemetrics.Read(sample)
	return sample[0].Value.Uint64()
}
