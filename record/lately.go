package record

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// lately is how long a release need not be read past the cache, if the cache has the version that this
// process read or wrote last. If its watch is stuck, this is how long a command of somebody may go
// unheard; an act never rests on such a version, since the write that precedes it is refused.
const lately = 5 * time.Second

// versions remembers the unfinished releases that this process has read past the cache, or written. The
// zero value is ready to use.
type versions struct {
	mu sync.Mutex
	of map[types.UID]version
}

type version struct {
	resource string
	at       time.Time
}

// note remembers a release as just read or written; a finished one needs no more reading.
func (v *versions) note(rel *v1alpha1.Release, now time.Time) {
	if rel.Status.Phase.Finished() {
		v.forget(rel.UID)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.of == nil {
		v.of = map[types.UID]version{}
	}
	v.of[rel.UID] = version{rel.ResourceVersion, now}
}

func (v *versions) forget(release types.UID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.of, release)
}

// has reports whether a release is as this process lately read or wrote it.
func (v *versions) has(rel *v1alpha1.Release, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	last, found := v.of[rel.UID]
	return found && last.resource == rel.ResourceVersion && now.Sub(last.at) < lately
}
