package gclb

import "sync"

// Adoption is the progress of the front ends. Clients cannot see it; a test that counts failed
// requests from the first one on must know when all front ends serve.
type Adoption struct {
	mu      sync.Mutex
	newest  view
	adopted []int
}

// Published is the newest configuration for the front ends.
func (a *Adoption) Published() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newest.serial
}

// ByAll reports whether every front end uses a configuration or a newer one.
func (a *Adoption) ByAll(configuration int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, serial := range a.adopted {
		if serial < configuration {
			return false
		}
	}
	return len(a.adopted) > 0
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

// record notes which configuration each front end uses. None goes back to an older one, so
// what was seen earlier and is recorded later changes nothing.
func (a *Adoption) record(published view, adopted []int) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if published.serial > a.newest.serial {
		a.newest = published
	}
	for i, serial := range adopted {
		if i == len(a.adopted) {
			a.adopted = append(a.adopted, serial)
		}
		a.adopted[i] = max(a.adopted[i], serial)
	}
}
