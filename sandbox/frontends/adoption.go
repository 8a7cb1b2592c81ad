package frontends

import "sync"

// Adoption is the progress of the front ends. Clients cannot see it; a test that counts failed
// requests from the first one on must know when all front ends serve.
type Adoption struct {
	mu        sync.Mutex
	published int
	adopted   []int
}

// Published is the newest configuration for the front ends.
func (a *Adoption) Published() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.published
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

// Record notes which configuration each front end uses. None goes back to an older one, so
// what was seen earlier and is recorded later changes nothing.
func (a *Adoption) Record(published int, adopted []int) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.published = max(a.published, published)
	for i, serial := range adopted {
		if i == len(a.adopted) {
			a.adopted = append(a.adopted, serial)
		}
		a.adopted[i] = max(a.adopted[i], serial)
	}
}
