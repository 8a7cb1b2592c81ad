package deployer

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/track"
)

// reaches is what is known about the repositories, by application. The zero value is ready to
// use. A new process asks again; until it has an answer, the condition keeps what was known.
type reaches struct {
	mu sync.Mutex
	of map[client.ObjectKey]reach
}

// reach is what is known about one application's repository.
type reach struct {
	repository, branch string
	generation         int64
	asked, next        time.Time // the last question, answered or not, and the next one
	newest             string    // UID of the newest deploy that waited then
	// missing is the last answer; nil: nothing is missing, or nothing is known.
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
