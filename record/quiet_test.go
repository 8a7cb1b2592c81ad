package record

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The caller hears of many changes once, when they have paused or have gone on for long. While many
// releases are on their way, it hears later, but not of a rollback.
func TestChangesAreGatheredForACall(t *testing.T) {
	for name, tt := range map[string]struct {
		every    time.Duration // between two changes
		crowded  time.Duration // for how long
		rollback bool
		calls    []time.Duration
	}{
		"a pause after each": {every: time.Second, calls: []time.Duration{300e6, 1300e6, 2300e6, 3300e6, 4300e6, 5300e6}},
		"no pause":           {every: 100 * time.Millisecond, calls: []time.Duration{2000e6, 4100e6, 5300e6}},
		"crowded":            {every: time.Second, crowded: time.Minute, calls: []time.Duration{15000e6}},
		"crowded for a time": {every: time.Second, crowded: 3200 * time.Millisecond, calls: []time.Duration{3300e6, 4300e6, 5300e6}},
		"a rollback":         {every: 5 * time.Second, crowded: time.Minute, rollback: true, calls: []time.Duration{300e6, 5300e6}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				rec := &Record{Crowded: func() bool { return time.Since(began) < tt.crowded }}
				w := &watching{record: rec, waiting: map[types.NamespacedName]map[string]bool{}, changes: map[types.NamespacedName]changes{}}
				rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1"}}
				rel.Spec.Application = "shop"
				if tt.rollback {
					rel.Spec.Rollback = &v1alpha1.RollbackSpec{}
				}
				app := types.NamespacedName{Namespace: "shop", Name: "shop"}
				go func() {
					for range 5*time.Second/tt.every + 1 {
						w.note(rel)
						time.Sleep(tt.every)
					}
				}()
				var calls []time.Duration
				synctest.Wait()
				for at := quiet; time.Since(began) < 20*time.Second; {
					time.Sleep(at)
					synctest.Wait()
					names, wait := w.take(app)
					if len(names) > 0 {
						calls = append(calls, time.Since(began))
					}
					if at = wait; at == 0 {
						at = 50 * time.Millisecond // the next event's
					}
				}
				if !slices.Equal(calls, tt.calls) {
					t.Errorf("the calls are at %v, want %v", calls, tt.calls)
				}
			})
		})
	}
}
