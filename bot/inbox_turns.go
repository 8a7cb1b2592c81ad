package bot

import (
	"sync"
	"time"
)

// How fast pushes become releases: so many at once, then one at a time. A release is dozens of requests
// to Kubernetes within its first second, and up to 15 to GitHub, which allows an App 5,000 an hour in an
// installation (GitHub docs, "Rate limits for GitHub Apps"), so faster gains nothing. What comes in faster waits in
// the inbox. Otherwise a flood of pushes would take Kubernetes from the webhooks behind it, from
// claims and from rollbacks.
const (
	pushesAtOnce = 5
	pushEvery    = 200 * time.Millisecond
)

// turns spreads the handling of pushes. A person's command takes none. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	last  time.Time            // the turn that was given out last
	given map[string]time.Time // by delivery; not used yet
}

// wait is how long until a delivery's turn; 0 uses it up. The first call gives it out.
func (t *turns) wait(name string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, given := t.given[name]
	if !given {
		if idle := now.Add(-pushesAtOnce * pushEvery); t.last.Before(idle) {
			t.last = idle
		}
		t.last = t.last.Add(pushEvery)
		at = t.last
	}
	if at.After(now) {
		if t.given == nil {
			t.given = map[string]time.Time{}
		}
		t.given[name] = at
		return at.Sub(now)
	}
	delete(t.given, name)
	return 0
}
