package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryIsCollectedEarlyWhileTheCachesFill(t *testing.T) {
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	usual := debug.SetGCPercent(90)
	t.Cleanup(func() { debug.SetGCPercent(usual) })
	for _, tt := range []struct {
		name, gogc string
		busy       time.Duration
		filling    int
		until      time.Duration
	}{
		{"until it is quiet", "", 30 * time.Second, fillingPercent, 32 * time.Second},
		{"for a while", "", time.Hour, fillingPercent, fillingAtMost},
		{"not with GOGC", "90", time.Hour, 90, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GOGC", tt.gogc)
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				began := time.Now()
				go giveBackMemory(ctx, func() uint64 { // 5 MB a second while it is busy, but for one second
					busy := min(time.Since(began), tt.busy)
					if busy > 10*time.Second {
						busy -= time.Second
					}
					return uint64(busy.Seconds() * 5e6)
				})
				time.Sleep(tt.until - time.Millisecond)
				if p := percent(); p != tt.filling {
					t.Errorf("at first memory is collected once it has grown by %d %%, want %d", p, tt.filling)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if p := percent(); p != 90 {
					t.Errorf("later it is collected once it has grown by %d %%, want 90", p)
				}
			})
		})
	}
}

func TestWhatIsAllocatedCounts(t *testing.T) {
	before := allocated()
	kept := make([]byte, 8<<20)
	if grew := allocated() - before; grew < uint64(len(kept)) {
		t.Errorf("8 MiB were allocated, %d bytes counted", grew)
	}
	runtime.KeepAlive(kept)
}
