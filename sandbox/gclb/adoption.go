package gclb

import (
	"sync"

	"github.com/turnout-dev/turnout/sandbox/frontends"
)

// Adoption is the progress of the front ends, and the newest configuration, which they follow.
type Adoption struct {
	frontends.Adoption

	mu     sync.Mutex
	newest view
}

// Leads is the backend service to which the newest configuration sends a host's path, and that
// configuration. The name is empty if users get none.
func (a *Adoption) Leads(host, path string) (backend string, configuration int) {
	a.mu.Lock()
	newest := a.newest
	a.mu.Unlock()
	if m := newest.mapFor(host); m != nil {
		backend = newest.backends[m.route(host, path)].name
	}
	return backend, newest.serial
}

// record notes which configuration each front end uses.
func (a *Adoption) record(published view, adopted []int) {
	if a == nil {
		return
	}
	a.Record(published.serial, adopted)
	a.mu.Lock()
	defer a.mu.Unlock()
	if published.serial > a.newest.serial {
		a.newest = published
	}
}
