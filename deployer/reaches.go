package deployer

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/track"
)

// reaches is what is known of the ways to the repositories, by application. The zero
// value is ready. A process that has just begun asks anew; until it has an answer the
// condition tells what was known.
type reaches struct {
	mu sync.Mutex
	of map[client.ObjectKey]reach
}

// reach is that of one application.
type reach struct {
	repository, branch string
	generation         int64
	asked, next        time.Time // when it was asked last, answered or not, and when again
	newest             string    // UID of the newest deploy that waited then
	// missing is what the last answer said; nil: nothing is in the way, or nothing is
	// known.
	missing *track.Obstacle
}

func (r *reaches) get(app client.ObjectKey) (reach, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.of[app]
	return known, ok
}

func (r *reaches) set(app client.ObjectKey, now reach) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[client.ObjectKey]reach{}
	}
	r.of[app] = now
}

func (r *reaches) forget(app client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, app)
}
