package gclb

import (
	"sync"

	"github.com/turnout-dev/turnout/sandbox/frontends"
)

// Adoption is the progress of the front ends, and the newest configuration, which they follow.
type Adoption struct {
	frontends.Adoption

	mu     sync.Mutex
	newest int
	leads  func(host, path string) (backend string)
}

// Leads is the backend service to which the newest configuration sends a host's path, and that
// configuration. The name is empty if users get none.
func (a *Adoption) Leads(host, path string) (backend string, configuration int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leads == nil {
		return "", 0
	}
	return a.leads(host, path), a.newest
}

// publish notes a configuration, and where it leads.
func (a *Adoption) publish(serial int, leads func(host, path string) string) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if serial > a.newest {
		a.newest, a.leads = serial, leads
	}
}

// record notes which configuration each front end uses.
func (a *Adoption) record(published int, adopted []int) {
	if a != nil {
		a.Record(published, adopted)
	}
}
