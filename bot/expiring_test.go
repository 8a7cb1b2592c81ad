package bot

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatIsRememberedEndsAndIsBounded: a value is dropped after its life, however often it
// is read, and when there are too many.
func TestWhatIsRememberedEndsAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e expiring[int, string]
		e.put(0, "first")
		for range 9 {
			time.Sleep(time.Second)
			if value, age, found := e.get(0, 10*time.Second); !found || value != "first" || age%time.Second != 0 {
				t.Fatalf("after %s: %q, %v", age, value, found)
			}
		}
		time.Sleep(time.Second)
		if _, _, found := e.get(0, 10*time.Second); found || e.cache().Len() != 0 {
			t.Errorf("the entry is there after its lifetime: %v, %d entries", found, e.cache().Len())
		}
		for i := range 2 * maxRemembered {
			e.put(i, "many")
		}
		if n := e.cache().Len(); n != maxRemembered {
			t.Errorf("%d are remembered, want %d", n, maxRemembered)
		}
		if _, _, found := e.get(0, time.Minute); found {
			t.Error("the oldest entry is kept instead of newer ones")
		}
	})
}

// TestQuotasEndWithTheirHour: a count begins with the first answer and ends an hour later.
func TestQuotasEndWithTheirHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quotas
		for range 3 {
			for i := range totalQuota {
				*q.of("acme")++
				if n := *q.of("acme"); n != i+1 {
					t.Fatalf("%d are counted, want %d", n, i+1)
				}
				time.Sleep(quotaTime / totalQuota)
			}
		}
	})
}
