package deployer

import (
	"context"
	"errors"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// errRollback: a look was cancelled because users wait for a rollback.
var errRollback = errors.New("a rollback was requested")

// unclearPause limits how often a look is cancelled for rollbacks that may or may not take back
// the last switch: whoever may write releases may write many.
const unclearPause = 10 * time.Second

// looks are the current looks, at most one per application. A rollback that a look does not know
// about cancels it, so users do not wait for an unresponsive pod or log. A cancelled look leaves
// the same state as a process that ended there. A rollback that moves nobody cancels nothing, and
// neither does a second one of the same switch. The zero value is ready to use.
type looks struct {
	mu      sync.Mutex
	at      map[client.ObjectKey]*underWay
	unclear map[client.ObjectKey]time.Time // when a look was last cancelled for an unclear rollback
}

// underWay is a current look, with its input.
type underWay struct {
	cancel   context.CancelCauseFunc
	bg       *v1alpha1.BlueGreen // nil: nothing read yet
	releases []v1alpha1.Release
}

// begin registers a look; use the returned context for it. The returned function ends it.
func (l *looks) begin(ctx context.Context, app client.ObjectKey) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at, l.unclear = map[client.ObjectKey]*underWay{}, map[client.ObjectKey]time.Time{}
	}
	l.at[app] = &underWay{cancel: cancel}
	return ctx, func() {
		l.mu.Lock()
		delete(l.at, app)
		l.mu.Unlock()
		cancel(nil)
	}
}

// know records what an application's look acts on.
func (l *looks) know(bg *v1alpha1.BlueGreen, releases []v1alpha1.Release) {
	own := v1alpha1.ReleaseList{Items: releases}
	l.mu.Lock()
	defer l.mu.Unlock()
	if look := l.at[client.ObjectKeyFromObject(bg)]; look != nil {
		look.bg, look.releases = bg.DeepCopy(), own.DeepCopy().Items
	}
}

// interrupt cancels an application's look for a new rollback, if that helps users.
func (l *looks) interrupt(app client.ObjectKey, rollback *v1alpha1.Release, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	look := l.at[app]
	if look == nil {
		return
	}
	switch worth, clear := look.worth(rollback); {
	case !worth:
		return
	case !clear && now.Before(l.unclear[app].Add(unclearPause)):
		return
	case !clear:
		l.unclear[app] = now
	}
	look.cancel(errRollback)
}

// worth reports whether a rollback moves users back, as far as the look can know.
func (u *underWay) worth(rollback *v1alpha1.Release) (worth, clear bool) {
	if u.bg == nil {
		return true, false
	}
	judge := rollbackJudge{u.bg, u.releases}
	good, refused := judge.judgeRollback(rollback)
	for i := range u.releases {
		rel := &u.releases[i]
		switch {
		case rel.UID == rollback.UID:
			return false, true
		case rel.Status.Phase.Finished():
		case rel.Spec.Kind == v1alpha1.Rollback:
			if brings, _ := judge.judgeRollback(rel); brings && good {
				return false, true // the other rollback brings users back
			}
		case string(rel.UID) == rollback.Spec.Rollback.Switch:
			refused = nil // it may have switched since then
		}
	}
	return refused == nil, good
}
