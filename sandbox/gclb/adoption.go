package gclb

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

func (a *Adoption) record(published int, frontEnds []*frontEnd) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.published = max(a.published, published)
	a.adopted = a.adopted[:0]
	for _, fe := range frontEnds {
		a.adopted = append(a.adopted, fe.adopted.Load().serial)
	}
}
