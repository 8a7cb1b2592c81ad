package bot

import (
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxRemembered bounds each cache. Beyond it, the least recently used value is dropped.
const maxRemembered = 10000

// expiring remembers values for a while. It needs no goroutine: newer values push out those
// that nobody asks for. The zero value is ready.
type expiring[K comparable, V any] struct {
	once sync.Once
	all  *lru.Cache[K, dated[V]]
}

// dated is a value with the time when it was put.
type dated[V any] struct {
	value V
	at    time.Time
}

func (e *expiring[K, V]) cache() *lru.Cache[K, dated[V]] {
	e.once.Do(func() {
		cache, err := lru.New[K, dated[V]](maxRemembered)
		if err != nil { // only for a size below one
			panic(fmt.Sprintf("bot: %v", err))
		}
		e.all = cache
	})
	return e.all
}

// put remembers a value, starting now.
func (e *expiring[K, V]) put(key K, value V) { e.cache().Add(key, dated[V]{value, time.Now()}) }

// get returns a value that was put less than a life ago, and its age.
func (e *expiring[K, V]) get(key K, life time.Duration) (value V, age time.Duration, found bool) {
	d, found := e.cache().Get(key)
	if age = time.Since(d.at); !found || age >= life {
		e.cache().Remove(key)
		return value, 0, false
	}
	return d.value, age, true
}

// forget removes a value.
func (e *expiring[K, V]) forget(key K) { e.cache().Remove(key) }
