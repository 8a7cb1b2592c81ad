package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// absentFor is how long a kind that the cluster lacks is not asked for again. It is shorter than
// anything takes that acts on a new kind's objects.
const absentFor = 5 * time.Second

// absentKinds maps kinds as another mapper does, and remembers for a moment which the cluster lacks.
// Without that, each read of a route of the Gateway API asks a cluster without the Gateway API what
// it has, once for every version of the kind: ten requests for a release.
type absentKinds struct {
	meta.RESTMapper
	now func() time.Time

	mu     sync.Mutex
	absent map[schema.GroupVersionKind]absence
}

// absence is the answer for a kind that was missing.
type absence struct {
	err   error
	until time.Time
}

// newMapper maps kinds by what the cluster says that it has.
func newMapper(cfg *rest.Config, client *http.Client) (meta.RESTMapper, error) {
	mapper, err := apiutil.NewDynamicRESTMapper(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("reading which kinds the cluster has: %w", err)
	}
	return &absentKinds{RESTMapper: mapper, now: time.Now}, nil
}

// RESTMapping implements [meta.RESTMapper].
func (m *absentKinds) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if len(versions) != 1 {
		return m.RESTMapper.RESTMapping(kind, versions...) //nolint:wrapcheck // its own
	}
	key := kind.WithVersion(versions[0])
	m.mu.Lock()
	known, found := m.absent[key]
	m.mu.Unlock()
	if found && m.now().Before(known.until) {
		return nil, known.err
	}
	mapping, err := m.RESTMapper.RESTMapping(kind, versions...)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.absent, key)
	if meta.IsNoMatchError(err) {
		if m.absent == nil {
			m.absent = map[schema.GroupVersionKind]absence{}
		}
		m.absent[key] = absence{err, m.now().Add(absentFor)}
	}
	return mapping, err //nolint:wrapcheck // callers look for a NoMatch
}
