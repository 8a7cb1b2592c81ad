package deployer

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// errRollback is why a look was cancelled: users wait for another one.
var errRollback = errors.New("a rollback was asked for")

// looks are those under way, one an application at most. A rollback that one of
// them does not know of cancels it: whatever it waits for, a pod that does not
// answer or a log that is not sent, users do not. A look that is cancelled is as
// one whose process ended there. The zero value is ready.
type looks struct {
	mu sync.Mutex
	at map[client.ObjectKey]*underWay
}

// underWay is a look.
type underWay struct {
	cancel context.CancelCauseFunc
	knows  map[types.UID]bool // rollbacks
}

// begin notes that a look begins; its context is the one to look with. The
// returned function ends it.
func (l *looks) begin(ctx context.Context, app client.ObjectKey) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[client.ObjectKey]*underWay{}
	}
	l.at[app] = &underWay{cancel: cancel, knows: map[types.UID]bool{}}
	return ctx, func() {
		l.mu.Lock()
		delete(l.at, app)
		l.mu.Unlock()
		cancel(nil)
	}
}

// know notes that an application's look acts on these releases.
func (l *looks) know(app client.ObjectKey, releases []v1alpha1.Release) {
	l.mu.Lock()
	defer l.mu.Unlock()
	look := l.at[app]
	if look == nil {
		return
	}
	for i := range releases {
		if releases[i].Spec.Kind == v1alpha1.Rollback {
			look.knows[releases[i].UID] = true
		}
	}
}

// interrupt cancels the look at an application, if it does not know a rollback.
func (l *looks) interrupt(app client.ObjectKey, rollback types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if look := l.at[app]; look != nil && !look.knows[rollback] {
		look.cancel(errRollback)
	}
}
