package deployer

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// dryRuns are the results of trying out applications' checks. The zero value is ready to use.
type dryRuns struct {
	mu sync.Mutex
	of map[client.ObjectKey]dryRun
}

// dryRun is one result.
type dryRun struct {
	generation int64 // of the BlueGreen
	next       time.Time
	findings   []v1alpha1.Finding
	unusable   unusable
}

func (r *dryRuns) get(app client.ObjectKey) dryRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[app]
}

func (r *dryRuns) set(app client.ObjectKey, d dryRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[client.ObjectKey]dryRun{}
	}
	r.of[app] = d
}

func (r *dryRuns) forget(app client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, app)
}
