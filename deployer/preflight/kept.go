package preflight

import (
	"maps"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// keptFor is the age at which an object that nothing watches is read again.
	keptFor = 5 * time.Minute
	// keptForRelease is that age while a release waits to begin, or for a finding about such an
	// object to be fixed.
	keptForRelease = 10 * time.Second
	// forget is the age at which an unused entry is dropped.
	forget = time.Hour
)

// kept holds what was read of objects that nothing watches, since not every cluster has
// BackendConfigs and Gateways, and claims and CronJobs are many; and what takes long to find out. The
// zero value is ready to use.
type kept[T any] struct {
	mu  sync.Mutex
	all map[client.ObjectKey]dated[T]
}

type dated[T any] struct {
	value T
	at    time.Time
}

// get returns what is kept, or reads it if that is too old. A failed read is not kept.
func (k *kept[T]) get(key client.ObjectKey, at moment, read func() (T, error)) (T, error) {
	oldest := keptFor
	if at.soon {
		oldest = keptForRelease
	}
	k.mu.Lock()
	known, ok := k.all[key]
	k.mu.Unlock()
	if ok && known.at.After(at.now.Add(-oldest)) {
		return known.value, nil
	}
	value, err := read()
	if err != nil {
		return value, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[client.ObjectKey]dated[T]{}
	}
	maps.DeleteFunc(k.all, func(_ client.ObjectKey, old dated[T]) bool { return at.now.Sub(old.at) > forget })
	k.all[key] = dated[T]{value, at.now}
	return value, nil
}

// drop has the next get read it again.
func (k *kept[T]) drop(key client.ObjectKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, key)
}

// moment is when the facts are collected; soon means that a release waits for them.
type moment struct {
	now  time.Time
	soon bool
}
