package main

import (
	"context"
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
		filling    int
	}{{"by itself", "", fillingPercent}, {"with GOGC", "90", 90}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GOGC", tt.gogc)
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				go giveBackMemory(ctx)
				synctest.Wait()
				if p := percent(); p != tt.filling {
					t.Errorf("at first memory is collected once it has grown by %d %%, want %d", p, tt.filling)
				}
				time.Sleep(filling + time.Second)
				synctest.Wait()
				if p := percent(); p != 90 {
					t.Errorf("later it is collected once it has grown by %d %%, want 90", p)
				}
			})
		})
	}
}
