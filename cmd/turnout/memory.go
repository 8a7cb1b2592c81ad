package main

import (
	"context"
	"runtime/debug"
	"time"
)

// giveBackEvery is how often unused memory goes back to the system. Go returns it over minutes, and
// keeps as much as is in use, for the next peak; but most of the time nothing happens.
const giveBackEvery = time.Minute

// giveBackMemory returns unused memory to the system, until ctx ends.
func giveBackMemory(ctx context.Context) {
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
