package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// giveBackEvery is how often unused memory goes back to the system. Go returns it over minutes, and
// keeps as much as is in use, for the next peak; but most of the time nothing happens.
const giveBackEvery = time.Minute

// While the caches fill and each application gets its first look, memory is collected once it has grown
// by 15 %, not only once it has doubled: what stays would be scattered over twice its size, and such
// memory cannot go back. With a thousand applications, that is about 20 of 89 MB.
const (
	filling        = 2 * time.Minute
	fillingPercent = 15
)

// giveBackMemory returns unused memory to the system, until ctx ends. Whoever sets GOGC decides when Go
// collects.
func giveBackMemory(ctx context.Context) {
	began, usual := time.Now(), 0
	if os.Getenv("GOGC") == "" {
		usual = debug.SetGCPercent(fillingPercent)
	}
	tick := time.NewTicker(giveBackEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if usual != 0 && time.Since(began) >= filling {
				debug.SetGCPercent(usual)
				usual = 0
			}
			debug.FreeOSMemory()
		}
	}
}
